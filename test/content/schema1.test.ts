/** What the digest of a manifest of schema 1 is over, and which bodies are none. */
import { describe, expect, test } from '@jest/globals';
import { isSchema1, schema1Payload, toSchema1Type } from '../../proxy/content/schema1.ts';

const PLAIN = 'application/vnd.docker.distribution.manifest.v1+json';
const SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

const OLD = '{"schemaVersion":1,"tag":"ä","fsLayers":[],"history":[]}';
const OPEN = OLD.slice(0, -1);
const LENGTH = Buffer.byteLength(OPEN);

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const tailOf = (text: string): string => Buffer.from(text).toString('base64url');
/** A protected header as libtrust writes it, with what a test changes. */
const header = (more: Readonly<Record<string, unknown>> = {}): string =>
  encode({ formatLength: LENGTH, formatTail: tailOf('}'), time: 'T', ...more });
const signature = (protectedHeader: unknown = header()): object => ({ protected: protectedHeader });
/** The old manifest with these signatures put into it. */
const withSignatures = (signatures: unknown, { before = '', after = '', tail = '}' } = {}): string =>
  `${OPEN}${before},"signatures":${JSON.stringify(signatures)}${after}${tail}`;

function payloadOf(text: string): string | undefined {
  const payload = schema1Payload(Buffer.from(text));
  return payload && Buffer.from(payload).toString();
}

test.each([
  [PLAIN, PLAIN],
  [SIGNED, SIGNED],
  [` ${SIGNED.toUpperCase()} ; charset=utf-8`, SIGNED],
  ['application/json', undefined],
  [`${PLAIN}x`, undefined],
  ['', undefined],
  [undefined, undefined],
])('the type %s', (contentType, expected) => {
  expect([toSchema1Type(contentType), isSchema1(contentType)]).toEqual([expected, expected !== undefined]);
});

describe('the digest is over', () => {
  test('the body, where no signatures were put into it', () => {
    expect(payloadOf(OLD)).toBe(OLD);
  });

  test.each([
    ['one signature', [signature()]],
    ['several that agree', [signature(), signature(header({ time: 'U' })), signature()]],
    ['one with other members', [{ header: { alg: 'ES256' }, signature: 'AAAA', ...signature() }]],
  ])('what is left without %s', (_name, signatures) => {
    expect(payloadOf(withSignatures(signatures))).toBe(OLD);
  });

  test('a payload whose end has white space, up to 64 bytes', () => {
    for (const [tail, isRead] of [
      ['\n}', true],
      [`${' '.repeat(63)}}`, true],
      [`${' '.repeat(64)}}`, false],
    ] as const) {
      const text = withSignatures([signature(header({ formatTail: tailOf(tail) }))], { tail });
      expect(payloadOf(text)).toBe(isRead ? OPEN + tail : undefined);
    }
  });

  test('a body that has white space around the name of the signatures', () => {
    expect(payloadOf(`${OPEN} \n, "signatures" :${JSON.stringify([signature()])}}`)).toBe(OLD);
  });
});

describe('no manifest of schema 1 is', () => {
  test.each([
    ['no JSON', '{'],
    ['another version', OLD.replace('1', '2')],
    ['a version in a text', OLD.replace(':1', ':"1"')],
    ['a member said twice', OLD.replace('{', '{"tag":"x",')],
  ])('%s', (_name, text) => {
    expect(payloadOf(text)).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['signatures that are an object', { 0: signature() }],
    ['signatures that are null', null],
    ['no signature', []],
    ['a signature that is null', [null]],
    ['a signature that is a text', ['protected']],
    ['a signature without its header', [{}]],
    ['an unreadable signature before a good one', [{}, signature()]],
    ['an unreadable signature after a good one', [signature(), {}]],
    ['a header said twice, in two cases', [{ ...signature(), Protected: header() }]],
    ['a header that is a number', [signature(5)]],
    ['a header that is no JSON', [signature(tailOf('x'))]],
    ['a header with padding', [signature(`${header()}=`)]],
    ['a header after another character', [signature(`.${header()}`)]],
    ['a header without a length', [signature(header({ formatLength: undefined }))]],
    ['a length that is a text', [signature(header({ formatLength: String(LENGTH) }))]],
    ['a length that is no whole number', [signature(header({ formatLength: LENGTH + 0.5 }))]],
    ['a negative length', [signature(header({ formatLength: -1 }))]],
    ['no length at all', [signature(header({ formatLength: 0 }))]],
    ['a length beyond the body', [signature(header({ formatLength: 9999 }))]],
    ['a shorter payload', [signature(header({ formatLength: LENGTH - 1 }))]],
    ['a longer payload', [signature(header({ formatLength: LENGTH + 1 }))]],
    ['a header without a tail', [signature(header({ formatTail: undefined }))]],
    ['an empty tail', [signature(header({ formatTail: '' }))]],
    ['a tail that is no base64url', [signature(header({ formatTail: `${tailOf('}')}=` }))]],
    ['another tail', [signature(header({ formatTail: tailOf(',"x":1}') }))]],
    ['signatures with two lengths', [signature(), signature(header({ formatLength: LENGTH - 1 }))]],
    ['signatures with two tails', [signature(), signature(header({ formatTail: tailOf(' }') }))]],
    [
      'signatures of which one agrees',
      [signature(), signature(), signature(header({ formatLength: LENGTH - 1 }))],
    ],
  ])('one with %s', (_name, signatures) => {
    expect(payloadOf(withSignatures(signatures))).toBeUndefined();
  });

  test.each([
    ['members before the signatures', withSignatures([signature()], { before: ',"evil":1' })],
    ['members after the signatures', withSignatures([signature()], { after: ',"evil":1' })],
    ['a second document', `${withSignatures([signature()])}{}`],
    ['a payload that has signatures itself', nested()],
    ['signatures of another place', elsewhere()],
    [
      'another white space at its end',
      withSignatures([signature(header({ formatTail: tailOf('\n}') }))], { tail: ' }' }),
    ],
    ['a payload without the version', `${payloadLess('"schemaVersion":1')}`],
  ])('one with %s', (_name, text) => {
    expect(payloadOf(text)).toBeUndefined();
  });
});

/** Signatures inside of what is compared, and nothing but a second array around it. */
function nested(): string {
  const open = `${OPEN},"signatures":[]`;
  const list = [signature(header({ formatLength: Buffer.byteLength(open) }))];
  return `${open},"signatures":${JSON.stringify(list)}}`;
}

/** A payload that lacks a member, which stands behind the signatures. */
function payloadLess(member: string): string {
  const tail = ` }`;
  const list = [signature(header({ formatLength: 4, formatTail: tailOf(tail) }))];
  return `{"":1,"signatures":${JSON.stringify(list)},${member}${tail}`;
}

/** The signatures are a part of what is compared, and what is left out is a member of another object. */
function elsewhere(): string {
  const formatTail = tailOf('}}');
  for (let formatLength = 1; formatLength < 1000; formatLength += 1) {
    const list = [signature(header({ formatLength, formatTail }))];
    const open = `{"schemaVersion":1,"signatures":${JSON.stringify(list)},"x":{"y":1`;
    if (Buffer.byteLength(open) === formatLength) return `${open},"signatures":[]}}`;
  }
  throw new Error('no length fits');
}
