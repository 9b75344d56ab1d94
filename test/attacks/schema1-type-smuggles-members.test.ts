/**
 * Schema 1 has its signatures inside, so its digest is that of a part of the body, and the registry's Content-Type says
 * that it is schema 1. A hostile registry put a second `config` into the bytes of a signed image under that type: the
 * part had the right digest, and every reader of the whole saw the attacker's image. Which check is made must be decided
 * by what was compared, and nothing but signatures may stand outside it.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ask, MANIFEST_TYPE, manifest, type RunningProxy, sha256, startProxy } from '../pull/harness.ts';
import type { Handler } from '../upstream/upstream.ts';

const V1 = 'application/vnd.docker.distribution.manifest.v1+json';
const V1_SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const TYPES = [V1, V1_SIGNED, `${V1_SIGNED}; charset=utf-8`, V1_SIGNED.toUpperCase()];

const EVIL = '"config":{"mediaType":"x","size":2,"digest":"sha256:evil"},"layers":[]';

/** As libtrust writes it: the payload is the first `formatLength` bytes and then the tail. */
function header(formatLength: number, tail = '}', more: Readonly<Record<string, unknown>> = {}): string {
  const formatTail = Buffer.from(tail).toString('base64url');
  return Buffer.from(JSON.stringify({ formatLength, formatTail, ...more })).toString('base64url');
}
function signatures(protectedHeader: string): string {
  return JSON.stringify([{ signature: 'AAAA', protected: protectedHeader }]);
}
/** The payload with a member "signatures" before its last brace, and what an attacker puts around it. */
function signed(payload: string, { before = '', after = '', lead = '' } = {}): string {
  const open = payload.slice(0, -1);
  const list = signatures(header(Buffer.byteLength(open)));
  return `${lead}${open}${before},"signatures":${list}${after}}`;
}

const IMAGE = manifest('signed image');
const IMAGE_TEXT = IMAGE.bytes.toString();
const OLD_TEXT =
  '{"schemaVersion":1,"name":"library/app","tag":"1","fsLayers":[{"blobSum":"sha256:a"}],"history":[]}';
const OLD_DIGEST = sha256(OLD_TEXT);
const HISTORY = '"history":[{"v1Compatibility":"{\\"evil\\":true}"}],"fsLayers":[{"blobSum":"sha256:evil"}]';

/** Bodies whose part has the digest of an image that is no schema 1. */
const OF_AN_IMAGE: readonly (readonly [string, string])[] = [
  ['signatures alone', signed(IMAGE_TEXT)],
  ['a second config after the signatures', signed(IMAGE_TEXT, { after: `,${EVIL}` })],
  ['a second config before the signatures', signed(IMAGE_TEXT, { before: `,${EVIL}` })],
  ['a schemaVersion 1 after the signatures', signed(IMAGE_TEXT, { after: `,"schemaVersion":1,${EVIL}` })],
  ['a schemaVersion 1 before the signatures', signed(IMAGE_TEXT, { before: `,"schemaVersion":1,${EVIL}` })],
  [
    'SchemaVersion, which Go reads as schemaVersion',
    signed(IMAGE_TEXT, { after: `,"SchemaVersion":1,${EVIL}` }),
  ],
  [
    'ſchemaVersion, which Go reads as schemaVersion',
    signed(IMAGE_TEXT, { after: `,"ſchemaVersion":1,${EVIL}` }),
  ],
  ['schemaVersion in escapes', signed(IMAGE_TEXT, { after: `,"\\u0073chemaVersion":1,${EVIL}` })],
  ['Config, which Go reads as config', signed(IMAGE_TEXT, { after: `,${EVIL.replace('config', 'Config')}` })],
];

/** Bodies whose part has the digest of a manifest of schema 1. */
const OF_SCHEMA_1: readonly (readonly [string, string | Buffer])[] = [
  ['members after the signatures', signed(OLD_TEXT, { after: `,${HISTORY}` })],
  ['members before the signatures', signed(OLD_TEXT, { before: `,${HISTORY}` })],
  ['members in other cases', signed(OLD_TEXT, { after: `,${HISTORY.replace('fsLayers', 'FSLayers')}` })],
  ['members with a long s', signed(OLD_TEXT, { after: `,${HISTORY.replace('fsLayers', 'fſLayers')}` })],
  ['another name of the same member', signed(OLD_TEXT, { after: ',"Signatures":[]' })],
  ['signatures said twice', signed(OLD_TEXT, { after: `,"signatures":[]` })],
  ['an image in it', signed(OLD_TEXT, { after: `,"schemaVersion":2,${EVIL}` })],
  ['a byte order mark', signed(OLD_TEXT, { lead: '\ufeff' })],
  ['a byte that is not UTF-8', Buffer.from(signed(OLD_TEXT, { after: ',"x":"\xff"' }), 'latin1')],
  ['a second document', `${signed(OLD_TEXT)}{${EVIL}}`],
  [
    'signatures that are an object',
    OLD_TEXT.replace(/}$/, `,"signatures":{"0":{"protected":"${header(OLD_TEXT.length - 1)}"}}}`),
  ],
  ['no signature', OLD_TEXT.replace(/}$/, ',"signatures":[]}')],
  [
    'a payload that ends before its last member',
    (() => {
      const tail = `,"history":[]}`;
      const open = OLD_TEXT.slice(0, -tail.length);
      const evil = `,${HISTORY},"signatures":${signatures(header(open.length, tail))}`;
      return `${open}${evil}${tail}`;
    })(),
  ],
  [
    'two signatures that disagree on the payload',
    OLD_TEXT.replace(
      /}$/,
      `,"signatures":[{"protected":"${header(OLD_TEXT.length - 1)}"},{"protected":"${header(5)}"}]}`,
    ),
  ],
  [
    'a Protected, which Go reads as protected, with another payload',
    OLD_TEXT.replace(
      /}$/,
      `,"signatures":[{"protected":"${header(OLD_TEXT.length - 1)}","Protected":"${header(5)}"}]}`,
    ),
  ],
  [
    'a FormatLength, which Go reads as formatLength',
    OLD_TEXT.replace(
      /}$/,
      `,"signatures":[{"protected":"${header(OLD_TEXT.length - 1, '}', { FormatLength: 5 })}"}]}`,
    ),
  ],
];

describe('under a type of schema 1', () => {
  let proxy: RunningProxy;
  let handler: Handler;
  beforeAll(async () => {
    proxy = await startProxy({ handler: (req, res) => handler(req, res), signed: { '1': IMAGE } });
  });
  afterAll(async () => proxy.close());

  let repositories = 0;
  /** Each from a repository of its own, so that nothing is remembered. */
  const get = async (reference: string, body: string | Buffer, type: string, accept?: string) => {
    handler = (req, res) => {
      res.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
      res.end(req.method === 'HEAD' ? undefined : body);
    };
    repositories += 1;
    const headers: Record<string, string> = accept === undefined ? {} : { accept };
    return ask(proxy.port, `/v2/library/app${repositories}/manifests/${reference}`, { headers });
  };

  test.each(OF_AN_IMAGE)('%s in an image is refused by digest and by tag', async (_name, body) => {
    for (const type of TYPES)
      for (const reference of [IMAGE.digest, '1']) {
        const reply = await get(reference, body, type);
        expect([type, reference, reply.status, reply.body.includes('evil')]).toEqual([
          type,
          reference,
          502,
          false,
        ]);
      }
  });

  test.each(OF_SCHEMA_1)('%s around a manifest of schema 1 is refused', async (_name, body) => {
    for (const type of TYPES) {
      const reply = await get(OLD_DIGEST, body, type);
      expect([type, reply.status, reply.body.includes('evil')]).toEqual([type, 502, false]);
    }
  });

  test('what is schema 1 passes by digest, signed and unsigned, under one spelling of its type', async () => {
    for (const body of [OLD_TEXT, signed(OLD_TEXT)])
      for (const type of TYPES) {
        const reply = await get(OLD_DIGEST, body, type);
        expect([reply.status, reply.body.toString(), reply.headers['docker-content-digest']]).toEqual([
          200,
          body,
          OLD_DIGEST,
        ]);
        expect(reply.headers['content-type']).toBe(type === V1 ? V1 : V1_SIGNED);
      }
  });

  test('the bytes of a signed image are never served as schema 1, whatever the client accepts', async () => {
    for (const accept of [undefined, V1, V1_SIGNED, '*/*', `${V1_SIGNED}, ${MANIFEST_TYPE};q=0.1`])
      for (const reference of [IMAGE.digest, '1']) {
        const reply = await get(reference, IMAGE.bytes, V1_SIGNED, accept);
        expect([accept, reference, reply.status]).toEqual([accept, reference, 502]);
      }
  });

  test('no other type chooses that check', async () => {
    for (const type of ['application/json', MANIFEST_TYPE, 'text/plain', `${MANIFEST_TYPE}, ${V1_SIGNED}`])
      for (const [digest, text] of [
        [IMAGE.digest, IMAGE_TEXT],
        [OLD_DIGEST, OLD_TEXT],
      ] as const) {
        const reply = await get(digest, signed(text, { after: `,${EVIL}` }), type);
        expect([type, reply.status]).toEqual([type, 502]);
      }
  });

  test('a client that reads any unknown type as schema 1 is told what the bytes are', async () => {
    const reply = await get(IMAGE.digest, IMAGE.bytes, 'application/json');
    expect([reply.status, reply.headers['content-type']]).toEqual([200, MANIFEST_TYPE]);
  });
});
