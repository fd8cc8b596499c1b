//! The component that asks.

use core::fmt;

use sluice_abi::PhysAddr;
use sluice_sys::{Endpoint, Frame, Message, Received};

use crate::protocol::{Damage, Refusal, Request, verdict};

/// A client's end of the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vault(pub Endpoint);

/// Why a request was not fulfilled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VaultError {
    /// The keeper refused.
    Refused(Refusal),
    /// The answer is none of the protocol; its label.
    Answer(u64),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the keeper refused: {refusal:?}"),
            Self::Answer(label) => write!(f, "the keeper answered {label:#x}"),
        }
    }
}

impl core::error::Error for VaultError {}

impl Vault {
    /// The physical address of the keeper's own canary page.
    ///
    /// # Errors
    /// When the keeper refuses.
    pub fn whereabouts(self) -> Result<PhysAddr, VaultError> {
        self.ask(&request(Request::Where)).map(|answer| PhysAddr(answer.word(0)))
    }

    /// The physical address of the page that the keeper adopted last, from whomever.
    ///
    /// # Errors
    /// When the keeper refuses.
    pub fn adopted(self) -> Result<Option<PhysAddr>, VaultError> {
        self.ask(&request(Request::Adopted)).map(|answer| Some(PhysAddr(answer.word(0))).filter(|at| at.0 != 0))
    }

    /// Hands a frame to the keeper, which makes it a canary page; returns the page's number.
    ///
    /// # Errors
    /// When the keeper refuses.
    pub fn adopt(self, frame: Frame) -> Result<u64, VaultError> {
        self.ask(&request(Request::Adopt).with_cap(frame.cptr())).map(|answer| answer.word(0))
    }

    /// The first damage of any page.
    ///
    /// # Errors
    /// When the keeper refuses, or gives no verdict.
    pub fn check(self) -> Result<Option<Damage>, VaultError> {
        let answer = self.ask(&request(Request::Check))?;
        verdict(answer.words()).ok_or(VaultError::Answer(answer.label()))
    }

    /// Makes the keeper give up the frames it adopted.
    ///
    /// # Errors
    /// When the keeper refuses.
    pub fn release(self) -> Result<(), VaultError> {
        self.ask(&request(Request::Release)).map(drop)
    }

    fn ask(self, message: &Message<0>) -> Result<Received, VaultError> {
        let answer = self.0.call(message);
        match answer.label() {
            0 => Ok(answer),
            label => Err(Refusal::from_label(label).map_or(VaultError::Answer(label), VaultError::Refused)),
        }
    }
}

const fn request(request: Request) -> Message<0> {
    Message::new(request as u64, [])
}
