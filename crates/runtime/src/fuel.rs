//! Fuel: what guests may still execute.
//!
//! Compiled code counts [`VmStore::fuel`](tenure_abi::vm::VmStore::fuel) down, which is signed, so that it can be
//! below 0 until code looks; what does not fit into it waits in a reserve. Both together are what is left, and less
//! than nothing is nothing to the host. Code knows the counter alone: to find the reserve missing, a guest would
//! have to run for decades.

use crate::addr::{MemAddr, TableAddr};
use crate::limits::{LimitError, within};
use crate::store::Store;
use tenure_module::VariableOperatorCost;
use tenure_types::Trap;

impl Store {
    /// What is left, if fuel is counted.
    pub fn fuel(&self) -> Option<u64> {
        self.config().tunables.fuel.as_ref()?;
        Some(u64::try_from(self.total_fuel()).unwrap_or(0))
    }

    /// Sets what is left; false if fuel is not counted.
    ///
    /// # Errors
    /// [`LimitError`] when the store may not have so much.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<bool, LimitError> {
        if self.config().tunables.fuel.is_none() {
            return Ok(false);
        }
        within("fuel", self.limits.fuel, fuel)?;
        self.split_fuel(fuel);
        Ok(true)
    }

    /// What is left; below 0 if more was used than there was.
    fn total_fuel(&self) -> i128 {
        i128::from(self.fuel_reserve) + i128::from(self.fuel_counter())
    }

    /// Makes the counter as large as it can be, and the rest the reserve.
    fn split_fuel(&mut self, fuel: u64) {
        let counter = i64::try_from(fuel).unwrap_or(i64::MAX);
        self.set_fuel_counter(counter);
        self.fuel_reserve = fuel - counter.cast_unsigned();
    }

    /// Code found less than nothing. The counter need not have been written since.
    pub(crate) fn use_up_fuel(&mut self) {
        self.split_fuel(0);
    }

    /// Uses `price` for `amount` units of what a guest asks for, if fuel is counted.
    ///
    /// # Errors
    /// When there is less.
    pub(crate) fn pay(
        &mut self,
        amount: u64,
        price: impl FnOnce(&VariableOperatorCost) -> u8,
    ) -> Result<(), Trap> {
        match &self.config().tunables.fuel {
            Some(costs) => match price(&costs.variable) {
                0 => Ok(()),
                price => self.use_fuel(i128::from(amount) * i128::from(price)),
            },
            None => Ok(()),
        }
    }

    /// Pays for `delta` more pages, if the memory may ever have them.
    ///
    /// # Errors
    /// When there is not enough fuel.
    pub(crate) fn pay_for_pages(&mut self, mem: MemAddr, delta: u64) -> Result<(), Trap> {
        let Some(inst) = self.mems.get(mem) else { return Ok(()) };
        let (held, limits) = (self.held.memory_bytes - inst.bytes(), &self.limits);
        let is_possible = inst.bytes_after(delta).is_some_and(|bytes| {
            let total = held.saturating_add(bytes) as u64;
            let bytes = bytes as u64;
            bytes <= inst.ty().max_bytes().min(limits.memory_bytes) && total <= limits.total_memory_bytes
        });
        if is_possible { self.pay(delta, |costs| costs.memory_grow_per_page) } else { Ok(()) }
    }

    /// Pays for `delta` more elements, if the table may ever have them.
    ///
    /// # Errors
    /// When there is not enough fuel.
    pub(crate) fn pay_for_elements(&mut self, table: TableAddr, delta: u64) -> Result<(), Trap> {
        let Some(inst) = self.tables.get(table) else { return Ok(()) };
        let (held, limits) = (self.held.table_elements as u64 - inst.size(), &self.limits);
        let is_possible = inst.size().checked_add(delta).is_some_and(|len| {
            let total = held.saturating_add(len);
            let most = inst.ty().max.unwrap_or(u64::MAX).min(limits.table_elements);
            len <= most && total <= limits.total_table_elements
        });
        if is_possible { self.pay(delta, |costs| costs.table_grow_per_element) } else { Ok(()) }
    }

    fn use_fuel(&mut self, fuel: i128) -> Result<(), Trap> {
        let left = self.total_fuel() - fuel;
        self.split_fuel(u64::try_from(left).unwrap_or(0));
        if left < 0 { Err(Trap::OutOfFuel) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::code_space::CodeSpace;
    use crate::store::{Store, StoreConfig};
    use std::sync::Arc;
    use tenure_code::Tunables;
    use tenure_module::{OperatorCost, VariableOperatorCost};
    use tenure_types::Trap;

    fn store(costs: Option<OperatorCost>) -> Store {
        let tunables = Tunables { fuel: costs.map(Arc::new), ..Tunables::default() };
        let config = StoreConfig {
            space: CodeSpace::new().unwrap(),
            types: Arc::default(),
            max_wasm_stack: 1 << 16,
            backtraces: false,
            epochs: Arc::default(),
            tunables,
            spare: Default::default(),
        };
        Store::new(Arc::new(config))
    }

    #[test]
    fn every_number_is_kept() {
        let mut store = store(Some(OperatorCost::new()));
        assert_eq!(store.fuel(), Some(0));
        for fuel in [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            assert_eq!(store.set_fuel(fuel), Ok(true));
            assert_eq!(store.fuel(), Some(fuel));
        }
    }

    #[test]
    fn the_reserve_is_left_when_the_counter_is_not() {
        let mut store = store(Some(OperatorCost::new()));
        store.set_fuel(u64::MAX).unwrap();
        store.set_fuel_counter(-5);
        assert_eq!(store.fuel(), Some((1 << 63) - 5));
        assert_eq!(store.pay(6, |costs| costs.memory_fill_per_byte), Ok(()));
        assert_eq!((store.fuel(), store.fuel_counter()), (Some((1 << 63) - 11), i64::MAX - 10));
        store.set_fuel(7).unwrap();
        store.set_fuel_counter(-1);
        assert_eq!(store.fuel(), Some(0));
        assert_eq!(store.pay(0, |costs| costs.memory_fill_per_byte), Err(Trap::OutOfFuel));
        assert_eq!(store.fuel(), Some(0));
    }

    #[test]
    fn work_is_paid_by_amount() {
        let variable = VariableOperatorCost { memory_fill_per_byte: 3, ..VariableOperatorCost::new() };
        let mut store = store(Some(OperatorCost { variable, ..OperatorCost::new() }));
        store.set_fuel(100).unwrap();
        assert_eq!(store.pay(33, |costs| costs.memory_fill_per_byte), Ok(()));
        assert_eq!(store.fuel(), Some(1));
        assert_eq!(store.pay(u64::MAX, |costs| costs.memory_fill_per_byte), Err(Trap::OutOfFuel));
        assert_eq!(store.fuel(), Some(0));
    }

    #[test]
    fn nothing_is_counted_unless_the_engine_wants_it() {
        let mut store = store(None);
        assert_eq!(store.set_fuel(1), Ok(false));
        assert_eq!(store.fuel(), None);
        assert_eq!(store.pay(u64::MAX, |costs| costs.memory_fill_per_byte), Ok(()));
    }
}
