//! Whether a summary changed, without keeping it.

use crate::summary::Summary;

/// Mixes bytes into 64 bits. Not keyed: whoever makes two of their own nodes collide only hides an update from themselves.
#[derive(Debug)]
struct Mixer(u64);

const K: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mixer {
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(K);
        #[allow(clippy::cast_possible_truncation)]
        let (low, high) = (product as u64, (product >> 64) as u64);
        self.0 = low ^ high.rotate_left(23) ^ K;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64 ^ 0x51);
        let (words, rest) = bytes.as_chunks::<8>();
        for &word in words {
            self.word(u64::from_le_bytes(word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    fn float(&mut self, float: f64) {
        self.word(float.to_bits());
    }
}

impl Summary<'_> {
    /// Equal for equal summaries, and almost certainly different for different ones. The same in every process.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut m = Mixer(K);
        for text in [
            self.id,
            &self.label,
            &self.label_minor,
            &self.rank,
            self.shape,
            self.tag,
        ] {
            m.bytes(text);
        }
        let flags = [self.stack, self.pseudo, self.stale];
        m.word(
            flags
                .iter()
                .fold(1, |bits, &flag| bits << 1 | u64::from(flag)),
        );
        m.word(self.metadata.len() as u64);
        for row in &self.metadata {
            m.bytes(row.id);
            m.bytes(row.label);
            m.bytes(&row.value);
            m.bytes(row.data_type);
            m.float(row.priority);
            m.word(row.truncate.cast_unsigned());
        }
        m.word(self.parents.len() as u64);
        for parent in &self.parents {
            m.bytes(parent.id);
            m.bytes(&parent.label);
            m.bytes(parent.topology_id.as_bytes());
        }
        self.mix_metrics(&mut m);
        self.mix_tables(&mut m);
        m.word(self.adjacency.len() as u64);
        for id in &self.adjacency {
            m.bytes(id);
        }
        m.0
    }

    fn mix_metrics(&self, m: &mut Mixer) {
        m.word(self.metrics.len() as u64);
        for row in &self.metrics {
            for text in [row.id, row.label, row.format, row.group, &row.url] {
                m.bytes(text);
            }
            for float in [row.value, row.priority, row.min, row.max] {
                m.float(float);
            }
            m.word(u64::from(row.value_empty));
            m.word(row.samples.len() as u64);
            for sample in row.samples.iter() {
                m.word(sample.date.seconds.cast_unsigned());
                m.word(u64::from(sample.date.nanos));
                m.float(sample.value);
            }
        }
    }

    fn mix_tables(&self, m: &mut Mixer) {
        m.word(self.tables.len() as u64);
        for table in &self.tables {
            for text in [table.id, table.label, table.kind] {
                m.bytes(text);
            }
            m.word(table.truncation_count.cast_unsigned());
            m.word(table.columns.len() as u64);
            for column in &table.columns {
                for text in [column.id, column.label, column.data_type] {
                    m.bytes(text);
                }
            }
            m.word(table.rows.len() as u64);
            for row in &table.rows {
                m.bytes(&row.id);
                m.word(row.entries.len() as u64);
                for (column, value) in &row.entries {
                    m.bytes(column);
                    m.bytes(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let a = Summary {
            id: b"0123456789",
            ..Summary::default()
        };
        assert_eq!(a.fingerprint(), a.clone().fingerprint());
        let check = |b: Summary<'_>| assert_ne!(a.fingerprint(), b.fingerprint(), "{b:?}");
        check(Summary {
            id: b"0123456780",
            ..Summary::default()
        });
        check(Summary {
            id: b"012345678",
            label: b"9"[..].into(),
            ..Summary::default()
        });
        check(Summary {
            stale: true,
            ..a.clone()
        });
        check(Summary {
            adjacency: vec![b""],
            ..a.clone()
        });
    }
}
