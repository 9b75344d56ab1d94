/** Properties that hold for every input: key IDs, delegation names and paths, parsers. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { decodeBase64, encodeBase64, parseRfc3339 } from '../../proxy/trust-client/encoding.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { parsePublicKey, toKeyId, toPublicKey } from '../../proxy/trust-client/keys.ts';
import {
  isDelegationName,
  parseEnvelope,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../../proxy/trust-client/metadata.ts';
import { isValidSignature } from '../../proxy/trust-client/signatures.ts';
import { createWorld, digestOf, NOW } from './kit.ts';

const RUNS = { numRuns: 150 };
const keytype = fc.oneof(
  fc.constantFrom('ecdsa', 'ecdsa-x509', 'rsa', 'rsa-x509', 'ed25519', '__proto__', ''),
  fc.string(),
);
const someBytes = fc.uint8Array({ maxLength: 200 });

describe('key IDs (notary-semantics.md §4.1)', () => {
  test('are the hash of the literal text, whatever the type and the bytes', () => {
    fc.assert(
      fc.property(keytype, someBytes, (type, bytes) => {
        const quoted = type.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
        const base64 = Buffer.from(bytes).toString('base64');
        const text = `{"keytype":"${quoted}","keyval":{"private":null,"public":"${base64}"}}`;
        expect(toKeyId(type, bytes)).toBe(createHash('sha256').update(text).digest('hex'));
      }),
      RUNS,
    );
  });

  test('do not depend on line breaks inside the base64', () => {
    fc.assert(
      fc.property(someBytes, fc.nat(60), (bytes, at) => {
        const text = encodeBase64(bytes);
        const broken = `${text.slice(0, at)}\r\n${text.slice(at)}`;
        expect(parsePublicKey('ed25519', broken)?.id).toBe(parsePublicKey('ed25519', text)?.id);
      }),
      RUNS,
    );
  });

  test('a key of any bytes is made without an error, and verifies nothing', () => {
    const message = Buffer.from('message');
    const methods = ['ecdsa', 'rsapss', 'rsapkcs1v15', 'pycrypto-pkcs#1 pss', 'eddsa'];
    fc.assert(
      fc.property(keytype, someBytes, fc.constantFrom(...methods), someBytes, (type, bytes, method, sig) => {
        const key = toPublicKey(type, bytes);
        expect(isValidSignature(key, { keyId: key.id, method, bytes: sig }, message)).toBe(false);
      }),
      RUNS,
    );
  });
});

describe('text forms', () => {
  test('base64: what is decoded encodes to the same text, and every byte string survives', () => {
    fc.assert(
      fc.property(someBytes, (bytes) => {
        expect(Buffer.from(decodeBase64(encodeBase64(bytes)) ?? [1])).toEqual(Buffer.from(bytes));
      }),
      RUNS,
    );
  });

  test('base64: another alphabet, white space or padding in the wrong place is none', () => {
    const letters = fc.constantFrom('A', 'z', '9', '+', '/', '=', '-', '_', ' ', '\t', '*', 'é');
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
        expect(decodeBase64(text) !== undefined).toBe(isBase64);
      }),
      { numRuns: 500 },
    );
  });

  test('times: every instant is read back exactly, at any offset and with any number of digits', () => {
    const instant = fc.date({ min: new Date(0), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true });
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: -23 * 60, max: 23 * 60 }),
        fc.nat(999_999),
        (date, minutes, nano) => {
          const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, -1);
          fc.pre(/^\d{4}-/.test(local));
          const size = Math.abs(minutes);
          const two = (value: number) => String(value).padStart(2, '0');
          const offset = `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
          const text = `${local}${String(nano).padStart(6, '0')}${offset}`;
          expect([text, parseRfc3339(text)]).toEqual([text, date]);
        },
      ),
      RUNS,
    );
  });
});

describe('delegation names (notary-semantics.md §3.3)', () => {
  const segment = fc.stringMatching(/^[-a-z0-9_]{1,20}$/);
  const path = fc.array(segment, { minLength: 1, maxLength: 6 }).map((parts) => `targets/${parts.join('/')}`);

  test('are targets/ and clean segments; each child is longer than its parent, which is one too', () => {
    fc.assert(
      fc.property(path, segment, (name, child) => {
        expect(isDelegationName(name)).toBe(true);
        expect(isDelegationName(`${name}/${child}`)).toBe(`${name}/${child}`.length < 256);
        expect(isDelegationName(`${name}/`)).toBe(false);
        expect(isDelegationName(`/${name}`)).toBe(false);
      }),
      RUNS,
    );
  });

  test('one character that does not belong makes it none', () => {
    const stray = fc
      .string({ minLength: 1, maxLength: 1, unit: 'binary' })
      .filter((text) => !/^[-a-z0-9_/]$/.test(text));
    fc.assert(
      fc.property(path, stray, fc.nat(100), (name, character, seed) => {
        const at = seed % (name.length + 1);
        expect(isDelegationName(name.slice(0, at) + character + name.slice(at))).toBe(false);
      }),
      RUNS,
    );
  });
});

describe('delegation paths (notary-semantics.md §8)', () => {
  const KEY = createSigningKey('ecdsa');
  const tag = fc.stringMatching(/^[a-c1.]{1,4}$/);
  const paths = fc.array(fc.stringMatching(/^[a-c1.]{0,3}$/), { maxLength: 3 });

  test('a nested role signs a tag only when it and every role above it may', async () => {
    await fc.assert(
      fc.asyncProperty(paths, paths, tag, async (outer, inner, name) => {
        const world = createWorld();
        const { repository } = world;
        repository.addTag(name, digestOf('a'), 7);
        repository.addDelegation('qa', { keys: [KEY], paths: outer });
        repository.addDelegation('targets/qa/sub', { keys: [KEY], paths: inner });
        repository.signAs('targets/qa', 'unrelated', digestOf('b'), 7);
        repository.signAs('targets/qa/sub', name, digestOf('a'), 7);
        repository.publish();
        const covers = (list: readonly string[]) => list.some((prefix) => name.startsWith(prefix));
        const kept = inner.filter((prefix) => outer.some((allowed) => prefix.startsWith(allowed)));
        const signers = covers(outer) && covers(kept) ? ['qa/sub'] : [];
        expect((await world.resolve()).target(name, world.now)?.signers).toEqual(signers);
      }),
      { numRuns: 60 },
    );
  });
});

describe('metadata parsers throw nothing but TrustError', () => {
  const repository = new SimulatedRepository('docker.io/library/alpine', { clock: () => NOW });
  repository.addDelegation('releases');
  repository.signAs('releases', '1.0', digestOf('a'), 7);
  repository.publish();

  const parsers = {
    root: parseRoot,
    timestamp: parseTimestamp,
    snapshot: parseSnapshot,
    targets: (envelope: ReturnType<typeof parseEnvelope>) => parseTargets(envelope, 'targets'),
  } as const;

  function parse(role: keyof typeof parsers, text: string): void {
    try {
      parsers[role](parseEnvelope(Buffer.from(text), role));
    } catch (error) {
      expect(error).toBeInstanceOf(TrustError);
    }
  }

  /** Every path to a value inside a plain JSON value. */
  function pathsIn(value: unknown): readonly (readonly (string | number)[])[] {
    if (typeof value !== 'object' || value === null) return [[]];
    const keys: readonly (string | number)[] = Array.isArray(value)
      ? value.map((_, index) => index)
      : Object.keys(value);
    return [
      [],
      ...keys.flatMap((key) =>
        pathsIn((value as Record<string | number, unknown>)[key]).map((rest) => [key, ...rest]),
      ),
    ];
  }

  function replaceAt(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
    const [key, ...rest] = path;
    if (key === undefined) return by;
    const copy = structuredClone(value) as Record<string | number, unknown>;
    copy[key] = replaceAt(copy[key], rest, by);
    return copy;
  }

  test.each(Object.keys(parsers) as (keyof typeof parsers)[])(
    '%s, with any value put anywhere in an honest file',
    (role) => {
      const honest: unknown = JSON.parse(Buffer.from(repository.files.get(role) ?? []).toString());
      const places = pathsIn(honest);
      fc.assert(
        fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 2 }), (place, value) => {
          parse(role, JSON.stringify(replaceAt(honest, place, value)));
        }),
        RUNS,
      );
    },
  );

  test.each(Object.keys(parsers) as (keyof typeof parsers)[])('%s, from any JSON', (role) => {
    fc.assert(
      fc.property(fc.json(), (signed) => {
        parse(role, `{"signed":${signed},"signatures":[]}`);
        parse(role, signed);
      }),
      RUNS,
    );
  });
});
