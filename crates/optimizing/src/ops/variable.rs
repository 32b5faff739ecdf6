//! Locals and globals.

use crate::translate::Translator;
use tenure_types::GlobalIdx;

impl Translator<'_> {
    pub(super) fn local_get(&mut self, local: u32) {
        let value = self.builder.use_var(self.locals[local as usize]);
        self.push(value);
    }

    pub(super) fn local_set(&mut self, local: u32) {
        let value = self.pop();
        let value = self.canonical(value);
        self.builder.def_var(self.locals[local as usize], value);
    }

    pub(super) fn local_tee(&mut self, local: u32) {
        let value = self.pop();
        self.push(value);
        let value = self.canonical(value);
        self.builder.def_var(self.locals[local as usize], value);
    }

    pub(super) fn global_get(&mut self, global: GlobalIdx) {
        let value = self.global(global);
        self.push(value);
    }

    pub(super) fn global_set(&mut self, global: GlobalIdx) {
        let value = self.pop();
        self.set_global(global, value);
    }
}
