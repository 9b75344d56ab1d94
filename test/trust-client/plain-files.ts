/** The four kinds of file as plain objects, unsigned, and the parsers they go through: for tests of their form alone. */
import { createHash } from 'node:crypto';
import {
  parseEnvelope,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../../proxy/trust-client/metadata.ts';

/** What JSON.parse gives, open to every change. */
export type Plain = { [name: string]: unknown };

const PARSERS = {
  root: parseRoot,
  timestamp: parseTimestamp,
  snapshot: parseSnapshot,
  targets: (envelope: Parameters<typeof parseTargets>[0]) => parseTargets(envelope, 'targets'),
} as const;

export type Kind = keyof typeof PARSERS;
export const KINDS = ['root', 'timestamp', 'snapshot', 'targets'] as const satisfies readonly Kind[];

const SHA256 = Buffer.alloc(32, 1).toString('base64');
const SHA512 = Buffer.alloc(64, 2).toString('base64');

/** An ed25519 key of these bytes, and the ID of notary-semantics.md §4.1. */
export function plainKey(fill: number): { readonly id: string; readonly key: Plain } {
  const text = Buffer.alloc(32, fill).toString('base64');
  const canonical = `{"keytype":"ed25519","keyval":{"private":null,"public":"${text}"}}`;
  const id = createHash('sha256').update(canonical).digest('hex');
  return { id, key: { keytype: 'ed25519', keyval: { private: null, public: text } } };
}

const { id: KEY_ID, key: KEY } = plainKey(7);

const CONTENT: Record<Kind, Plain> = {
  root: {
    _type: 'Root',
    consistent_snapshot: false,
    keys: { [KEY_ID]: KEY },
    roles: Object.fromEntries(KINDS.map((name) => [name, { keyids: [KEY_ID], threshold: 1 }])),
  },
  timestamp: { _type: 'Timestamp', meta: { snapshot: metaOf() } },
  snapshot: { _type: 'Snapshot', meta: { root: metaOf(), targets: metaOf(), 'targets/qa': metaOf() } },
  targets: {
    _type: 'Targets',
    delegations: {
      keys: { [KEY_ID]: KEY },
      roles: [{ keyids: [KEY_ID], name: 'targets/qa', paths: [''], threshold: 1 }],
    },
    targets: { '1.0': { custom: {}, hashes: { sha256: SHA256 }, length: 7 } },
  },
};

function metaOf(): Plain {
  return { custom: {}, hashes: { sha256: SHA256, sha512: SHA512 }, length: 7 };
}

/** A file with every member there is, in the order of Notary's names. */
export function plainFile(kind: Kind): Plain {
  const signed = { ...CONTENT[kind], expires: '2030-01-01T00:00:00Z', version: 1 };
  const signatures = [{ keyid: KEY_ID, method: 'eddsa', sig: 'AAAA' }];
  return structuredClone({ signed, signatures });
}

/** The member at a path such as `signed.roles.root`; entries of arrays by their number. */
export function at(file: Plain, path: string): Plain {
  const steps = path === '' ? [] : path.split('.');
  return steps.reduce<Plain>((value, step) => value[step] as Plain, file);
}

/** Takes a plain file through the parser of its kind. */
export function parse<K extends Kind>(kind: K, file: Plain): ReturnType<(typeof PARSERS)[K]> {
  const envelope = parseEnvelope(Buffer.from(JSON.stringify(file)), kind);
  return PARSERS[kind](envelope) as ReturnType<(typeof PARSERS)[K]>;
}
