//! Divides a stream of bytes into the messages of the Redis protocol (RESP 2 and 3). Interprets none.

/// Bytes of one direction of a connection that are no whole message yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    opaque: bool,
}

/// A whole message, or bytes of another protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(Vec<u8>),
    Opaque(Vec<u8>),
}

struct NotRedis;

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.bytes.is_empty() {
            return None;
        }
        match length(&self.bytes) {
            Ok(length) if !self.opaque => {
                let rest = self.bytes.split_off(length?);
                Some(Frame::Message(std::mem::replace(&mut self.bytes, rest)))
            }
            _ => {
                self.opaque = true;
                Some(Frame::Opaque(std::mem::take(&mut self.bytes)))
            }
        }
    }
}

/// How long the first message is, if all of it is there.
fn length(bytes: &[u8]) -> Result<Option<usize>, NotRedis> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if !b"+-:_#,($=!*~>%|".contains(&kind) {
        return Err(NotRedis);
    }
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = end + 2;
    let count = || {
        let text = std::str::from_utf8(&bytes[1..end]).map_err(|_| NotRedis)?;
        // A length below zero says that there is nothing.
        text.parse::<i64>().map(|count| usize::try_from(count).ok()).map_err(|_| NotRedis)
    };
    let members = match kind {
        b'$' | b'=' | b'!' => {
            let whole = count()?.map_or(line, |length| line + length + 2);
            return Ok((bytes.len() >= whole).then_some(whole));
        }
        b'*' | b'~' | b'>' => count()?.unwrap_or(0),
        b'%' | b'|' => 2 * count()?.unwrap_or(0),
        _ => 0,
    };
    let mut whole = line;
    for _ in 0..members {
        match length(&bytes[whole..])? {
            Some(length) => whole += length,
            None => return Ok(None),
        }
    }
    Ok(Some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_whole_wherever_the_stream_is_broken() {
        let messages: [&[u8]; 6] = [
            b"+OK\r\n",
            b"$3\r\na\r\n\r\n",
            b"*2\r\n$-1\r\n*1\r\n:7\r\n",
            b"%1\r\n+k\r\n*0\r\n",
            b">2\r\n+message\r\n$0\r\n\r\n",
            b"*-1\r\n",
        ];
        let all = messages.concat();
        for at in 0..=all.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for part in [&all[..at], &all[at..]] {
                frames.push(part);
                while let Some(frame) = frames.next() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, messages.map(|message| Frame::Message(message.to_vec())), "broken at {at}");
        }
    }

    #[test]
    fn another_protocol_passes_as_it_is() {
        let mut frames = Frames::default();
        frames.push(&[0x16, 3, 1]);
        assert_eq!(frames.next(), Some(Frame::Opaque(vec![0x16, 3, 1])));
        frames.push(b"+OK\r\n");
        assert_eq!(frames.next(), Some(Frame::Opaque(b"+OK\r\n".to_vec())));
    }
}
