//! Values that may stand only once.

use super::fault::{Faults, Wrong};
use super::place::Place;

/// One fault for each value that stood earlier too. `found` makes the message of the earlier place's key.
pub(super) fn refuse<'v, 'c: 'v, T: PartialEq + 'v>(
    values: impl Iterator<Item = &'v (Place<'c>, T)>,
    allowed: &str,
    faults: &mut Faults,
    found: impl Fn(&str) -> String,
) {
    let values: Vec<_> = values.collect();
    for (index, (place, value)) in values.iter().enumerate() {
        let earlier = values.iter().take(index).find(|(_, other)| other == value);
        if let Some((first, _)) = earlier {
            faults.push(place.fault(Wrong::found(found(first.key())), allowed));
        }
    }
}
