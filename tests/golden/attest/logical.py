"""The logical digest of one small table, from its description alone (src/table/logical.rs): struct and hashlib."""
import hashlib
import struct


def count(n):
    return struct.pack("<Q", n)


def text(s):
    raw = s.encode()
    return count(len(raw)) + raw


parts = text("walkforward values 1") + text("signals@1")
parts += count(1) + text("strategy") + text("breakout")
parts += count(2) + count(5)
parts += text("ts") + b"t" + struct.pack("<qq", 0, 86_400_000_000)
parts += text("symbol") + b"s" + text("A") + text("B\u00e9")
parts += text("r") + b"f" + struct.pack("<d", 0.0) + bytes.fromhex("000000000000f87f")
parts += text("win") + b"b" + bytes([1, 0])
parts += text("rank") + b"i" + struct.pack("<qq", 1, -2)
print(hashlib.sha256(parts).hexdigest())
