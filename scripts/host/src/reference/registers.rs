//! Orders of registers.

use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{Register, USER_FRAME_WORDS};

use super::{Page, heading, section, table};

pub(super) fn page() -> Page {
    let mut text = heading("Registers", "Of threads and of virtual processors, by number.");
    text += &section("The user context");
    text += &format!(
        "What TCB_ReadRegisters and TCB_WriteRegisters transfer, in this order; the first {USER_FRAME_WORDS} are what \
         TCB_CopyRegisters calls frame registers.\n\n"
    );
    let rows = Register::ORDER.into_iter().enumerate();
    text += &table(&["Word", "Register"], rows.map(|(index, register)| vec![index.to_string(), name(register)]));
    text += &section("Virtual processors");
    text += "The field of VCPU_ReadRegs and VCPU_WriteRegs.\n\n";
    let rows = VcpuRegister::ALL.into_iter();
    text += &table(
        &["Field", "Register"],
        rows.map(|register| vec![(register as u64).to_string(), format!("{register:?}").to_uppercase()]),
    );
    Page { name: "registers.md", about: "the user context and the registers of virtual processors", text }
}

fn name(register: Register) -> String {
    match register {
        Register::Pc => "pc".to_owned(),
        Register::Sp => "sp".to_owned(),
        Register::Spsr => "spsr".to_owned(),
        Register::X(number) => format!("x{number}"),
        Register::TpidrEl0 => "tpidr_el0".to_owned(),
        Register::TpidrroEl0 => "tpidrro_el0".to_owned(),
    }
}
