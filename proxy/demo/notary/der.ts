/** The few DER encodings an X.509 certificate is made of (ITU-T X.690). */

/** One tag-length-value element; the parts are its content. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), encodeLength(content.length), content]);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits = bigEndian(BigInt(length));
  return Buffer.concat([Buffer.from([0x80 | digits.length]), digits]);
}

function bigEndian(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return element(0x31, ...parts);
}

/** A constructed context-specific element, `[number]`. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return element(0xa0 | number, ...parts);
}

/** A non-negative INTEGER: a leading zero octet keeps the sign bit clear. */
export function integer(value: bigint): Buffer {
  const digits = bigEndian(value);
  const negative = ((digits[0] ?? 0) & 0x80) !== 0;
  return element(0x02, Buffer.from(negative ? [0] : []), digits);
}

export function boolean(value: boolean): Buffer {
  return element(0x01, Buffer.from([value ? 0xff : 0]));
}

export function nothing(): Buffer {
  return element(0x05);
}

export function octetString(content: Uint8Array): Buffer {
  return element(0x04, content);
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}

export function bitString(content: Uint8Array, unusedBits = 0): Buffer {
  return element(0x03, Buffer.from([unusedBits]), content);
}

/** A BIT STRING of named bits, trailing zero bits left off as DER demands. */
export function namedBits(bits: readonly number[]): Buffer {
  const highest = Math.max(...bits);
  const octets = Buffer.alloc(Math.floor(highest / 8) + 1);
  for (const bit of bits) {
    const index = Math.floor(bit / 8);
    octets[index] = (octets[index] ?? 0) | (0x80 >> (bit % 8));
  }
  return bitString(octets, 7 - (highest % 8));
}

/** @param dotted the usual spelling, `1.2.840.…` */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, ...[first * 40 + second, ...rest].map(encodeArc));
}

function encodeArc(arc: number): Buffer {
  const octets = [arc & 0x7f];
  for (let left = arc >>> 7; left > 0; left >>>= 7) octets.unshift((left & 0x7f) | 0x80);
  return Buffer.from(octets);
}

/** UTCTime up to 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5); whole seconds. */
export function time(moment: Date): Buffer {
  const digits = moment
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  const short = moment.getUTCFullYear() >= 1950 && moment.getUTCFullYear() < 2050;
  return short ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}
