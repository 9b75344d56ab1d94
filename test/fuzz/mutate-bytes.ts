/** Mutations that know nothing of JSON: what a broken or hostile line does to bytes. */
import type { Random } from './random.ts';

type Mutation = (bytes: Buffer, random: Random, others: readonly Uint8Array[]) => Buffer;

const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  '\\u005f',
  'null',
  'true',
  '1e999',
  '-0',
  '1.0',
  '9007199254740993',
  '"__proto__":1,',
  '"version":1,',
  '"Version":1,',
  '"signed":{},',
  '[[[[[[[[[[[[[[[[',
  '{"a":{"a":{"a":',
  '\n',
  '\u0000',
  '\ufeff',
  '😀',
].map((token) => Buffer.from(token));

const flipBit: Mutation = (bytes, random) => {
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
};

const setByte: Mutation = (bytes, random) => {
  bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
};

const insertToken: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(at)]);
};

const remove: Mutation = (bytes, random) => {
  const at = random.below(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random.below(random.once(4) ? 400 : 8));
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
};

const duplicate: Mutation = (bytes, random) => {
  const at = random.below(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random.below(200));
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
};

const cut: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1));

const splice: Mutation = (bytes, random, others) => {
  const other = random.pick(others);
  const from = random.below(other.length);
  const piece = other.subarray(from, from + 1 + random.below(300));
  const at = random.below(bytes.length + 1);
  return Buffer.concat([
    bytes.subarray(0, at),
    piece,
    bytes.subarray(random.once(2) ? at : at + piece.length),
  ]);
};

const changeNumber: Mutation = (bytes, random) => {
  const text = bytes.toString('latin1');
  const numbers = [...text.matchAll(/[0-9]+/g)];
  if (numbers.length === 0) return bytes;
  const { index, 0: digits } = random.pick(numbers);
  const other = random.pick([
    '0',
    '-1',
    '1.0',
    '1e0',
    '2147483647',
    '9007199254740992',
    `${Number(digits) + 1}`,
  ]);
  return Buffer.from(text.slice(0, index) + other + text.slice(index + digits.length), 'latin1');
};

const MUTATIONS = [flipBit, setByte, insertToken, remove, duplicate, cut, splice, changeNumber, changeNumber];

/** One to six mutations, one after the other. */
export function mutateBytes(seed: Uint8Array, random: Random, others: readonly Uint8Array[]): Buffer {
  let bytes: Buffer = Buffer.from(seed);
  for (let left = 1 + random.below(random.once(3) ? 6 : 2); left > 0; left -= 1) {
    bytes = random.pick(MUTATIONS)(bytes, random, others);
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}
