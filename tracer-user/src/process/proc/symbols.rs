//! Names of places in the kernel, each held once: of ten thousand processes most wait in the same few.

use std::collections::HashSet;
use std::sync::Arc;

/// So many are held; a machine's processes wait in some dozens.
const MANY: usize = 512;

/// Those that were seen.
#[derive(Debug, Default)]
pub(super) struct Symbols(HashSet<Arc<[u8]>>);

impl Symbols {
    /// This name; `None`: it is the kernel's word for nowhere.
    pub(super) fn named(&mut self, name: &[u8]) -> Option<Arc<[u8]>> {
        let name = match name.trim_ascii() {
            b"" | b"0" => return None,
            name => name,
        };
        if let Some(known) = self.0.get(name) {
            return Some(Arc::clone(known));
        }
        if self.0.len() == MANY {
            self.0.clear();
        }
        let new: Arc<[u8]> = name.into();
        self.0.insert(Arc::clone(&new));
        Some(new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MANY, Symbols};

    #[test]
    fn a_name_is_held_once_and_never_too_many() {
        let mut symbols = Symbols::default();
        let (first, again) = (symbols.named(b"do_wait").unwrap(), symbols.named(b"do_wait\n").unwrap());
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!((symbols.named(b"0"), symbols.named(b"")), (None, None));
        for number in 0..3 * MANY {
            let name = format!("place_{number}");
            assert_eq!(symbols.named(name.as_bytes()).as_deref(), Some(name.as_bytes()));
            assert!(symbols.0.len() <= MANY);
        }
    }
}
