"""Keys of NATS: reads a seed or a credentials file, and signs what the server asks to be signed.

The standard library has no Ed25519, so here it is (RFC 8032), on Python's own integers. A signature takes a few
milliseconds and is made once per connection. Its time depends on the key: good enough to sign in with, on a machine
that is yours; no library for anything else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME

# A point is (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z: it can be added to without a division.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def _base_point() -> _Point:
    y = 4 * pow(5, -1, _PRIME) % _PRIME
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _PRIME) % _PRIME
    x = pow(square, (_PRIME + 3) // 8, _PRIME)
    if (x * x - square) % _PRIME != 0:
        x = x * pow(2, (_PRIME - 1) // 4, _PRIME) % _PRIME
    if x % 2 == 1:
        x = _PRIME - x
    return (x, y, 1, x * y % _PRIME)


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % _PRIME
    c = 2 * _D * one[3] * other[3] % _PRIME
    d = 2 * one[2] * other[2] % _PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME)


def _times(scalar: int, point: _Point) -> _Point:
    product = _NEUTRAL
    while scalar > 0:
        if scalar & 1:
            product = _add(product, point)
        point = _add(point, point)
        scalar >>= 1
    return product


def _packed(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _PRIME)
    x, y = point[0] * inverse % _PRIME, point[1] * inverse % _PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _base_point()


def _number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


class KeyPair:
    """An Ed25519 key made of the 32 bytes of its secret."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError(f"a secret has 32 bytes, not {len(secret)}")
        digest = hashlib.sha512(secret).digest()
        clamped = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
        self._scalar = clamped
        self._prefix = digest[32:]
        self.public = _packed(_times(clamped, _BASE))

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature of a message."""
        secret = _number(self._prefix, message) % _ORDER
        commitment = _packed(_times(secret, _BASE))
        challenge = _number(commitment, self.public, message) % _ORDER
        return commitment + ((secret + challenge * self._scalar) % _ORDER).to_bytes(32, "little")


_SEED = 18 << 3
_USER = 20 << 3


@dataclass(frozen=True)
class Signer:
    """Signs in: with a public key that the server knows, or with a token (JWT) that names one."""

    public: str
    key: KeyPair
    jwt: str | None = None

    def answer(self, nonce: str) -> dict[str, str]:
        """What CONNECT says of who we are."""
        signature = base64.urlsafe_b64encode(self.key.sign(nonce.encode())).rstrip(b"=").decode()
        who = {"nkey": self.public} if self.jwt is None else {"jwt": self.jwt}
        return {**who, "sig": signature}


def from_seed(seed: str, jwt: str | None = None) -> Signer:
    """Of a seed as the tools of NATS write it: `SUA…`, 58 letters."""
    text = seed.strip()
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError("this is no nkey seed: it is not in base32") from error
    if len(raw) != 36 or raw[0] & 0xF8 != _SEED:
        raise ValueError("this is no nkey seed: a seed has 58 letters and begins with S")
    body, checksum = raw[:-2], int.from_bytes(raw[-2:], "little")
    if binascii.crc_hqx(body, 0) != checksum:
        raise ValueError("this nkey seed is damaged: its checksum does not fit")
    kind = (body[0] & 7) << 5 | body[1] >> 3
    if kind != _USER:
        raise ValueError("this nkey seed is not one of a user: those begin with SU")
    key = KeyPair(body[2:])
    named = bytes([_USER]) + key.public
    public = base64.b32encode(named + binascii.crc_hqx(named, 0).to_bytes(2, "little")).rstrip(b"=").decode()
    return Signer(public, key, jwt)


def from_credentials(text: str) -> Signer:
    """Of a credentials file: a token and a seed, each between two lines of dashes."""
    parts = re.findall(r"-----BEGIN [^\n]*-----\s*(\S+)\s*-+END [^\n]*-+", text)
    if len(parts) != 2:
        raise ValueError("this is no credentials file: it holds a token and a seed, each between lines of dashes")
    return from_seed(parts[1], jwt=parts[0])
