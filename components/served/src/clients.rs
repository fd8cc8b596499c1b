//! The clients: one that has the mortal server die, one whose call is in line behind that, and one that waits for the server that
//! lives all the time.

use sluice_manifest::supervisor::ServerEnd;
use sluice_rt::sys::{Endpoint, Message};
use sluice_rt::{Env, RtError, check};
use sluice_served::{Outcome, Request};

use crate::program::{MORTAL, STEADY, deaths};

/// Calls of a server that is gone.
const AFTERWARDS: u64 = 3;

fn call(server: Endpoint, request: Request, number: u64) -> Outcome {
    let answer = server.call(&Message::new(request as u64, [number]));
    Outcome::of(number, answer.label(), answer.words())
}

/// Asks each life something, and then to die; releases the one that waits for the other server when nothing is left of this one.
pub(crate) fn kill(env: &Env) -> Result<(), RtError> {
    let (mortal, steady) = (env.channel_client(MORTAL)?, env.channel_client(STEADY)?);
    let deaths = deaths(env);
    let (mut answered, mut told) = (0, 0);
    for life in 0..=deaths {
        answered += u64::from(call(mortal, Request::Ask, life) == Outcome::Answered(life));
        let end = if life < deaths { ServerEnd::Died } else { ServerEnd::Gone };
        told += u64::from(call(mortal, Request::Die, life) == Outcome::Ended(end));
    }
    let lives = deaths + 1;
    check!("each-life-answers", answered == lives, "{answered} of {lives} lives answered, in order");
    check!("each-end-is-told", told == lives, "{told} of {lives} calls that a server died of had that for an answer");
    let gone = Outcome::Ended(ServerEnd::Gone);
    let refused = (0..AFTERWARDS).filter(|number| call(mortal, Request::Ask, *number) == gone).count() as u64;
    check!(
        "who-is-gone-stays-so",
        refused == AFTERWARDS,
        "{refused} of {AFTERWARDS} calls afterwards are told at once"
    );
    let released = call(steady, Request::Release, 0);
    check!("the-other-serves", released == Outcome::Answered(0), "{released:?}");
    Ok(())
}

/// Asks without end. Above the server and below the one that kills it: whenever that one's message makes the server die, a call of
/// this one is in line.
pub(crate) fn queue(env: &Env) -> Result<(), RtError> {
    let mortal = env.channel_client(MORTAL)?;
    let (mut answered, mut died, mut wrong) = (0u64, 0u64, 0u64);
    for number in 0.. {
        match call(mortal, Request::Ask, number) {
            Outcome::Answered(_) => answered += 1,
            Outcome::Ended(ServerEnd::Died) => died += 1,
            Outcome::Ended(ServerEnd::Gone) => break,
            Outcome::Wrong(_) => wrong += 1,
        }
    }
    let deaths = deaths(env);
    let good = died == deaths && answered > deaths && wrong == 0;
    check!("calls-in-line-are-told", good, "{died} of {deaths} deaths; {answered} answers, {wrong} wrong");
    Ok(())
}

/// Waits for the answer of the server that lives, which comes when nothing is left of the other.
pub(crate) fn wait(env: &Env) -> Result<(), RtError> {
    let steady = env.channel_client(STEADY)?;
    let outcome = call(steady, Request::Keep, 77);
    check!("who-waits-for-others-waits", outcome == Outcome::Answered(0), "{outcome:?}");
    Ok(())
}
