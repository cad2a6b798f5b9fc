//! Chance from one seed, so that what is made of it is a pure function.

/// A generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// One that gives the same again for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// `length` characters out of `alphabet`.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let characters: Vec<char> = alphabet.chars().collect();
        (0..length)
            .filter_map(|_| {
                let many = u64::try_from(characters.len()).ok()?;
                let at = usize::try_from(self.roll().checked_rem(many)?).ok()?;
                characters.get(at).copied()
            })
            .collect()
    }

    /// `length` digits.
    pub fn digits(&mut self, length: usize) -> String {
        self.text("0123456789", length)
    }

    /// What an envelope begins with: ASCII, as the platforms have it.
    pub fn block(&mut self) -> [u8; 16] {
        let text = self.text("0123456789abcdef", 16);
        let mut block = [b'0'; 16];
        block
            .iter_mut()
            .zip(text.bytes())
            .for_each(|(to, from)| *to = from);
        block
    }
}
