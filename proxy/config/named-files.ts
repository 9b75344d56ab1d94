/** The files a configuration names: found, read once, and checked for being what they are named as. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { type Finding, type Path, show } from './errors.ts';
import { entry, items, type TextEntry, texts } from './lookup.ts';
import { MAX_FILE_BYTES, readBounded, readFault } from './read-bounded.ts';

type Kind = 'certificates' | 'key' | 'password';

/** What was read: the certificates of a file as PEM, by its path as configured. Keys and passwords are not kept. */
export type NamedFiles = {
  readonly findings: readonly Finding[];
  readonly certificates: ReadonlyMap<string, string>;
};

type Checked =
  | { readonly kind: 'fine'; readonly pem?: string }
  | { readonly kind: 'fault'; readonly what: string; readonly next: string };

/** Reads and checks every file named in unvalidated data; relative paths start at `folder`. */
export async function readNamedFiles(value: unknown, folder: string): Promise<NamedFiles> {
  const findings: Finding[] = [];
  const certificates = new Map<string, string>();
  for (const { kind, entries } of namedIn(value)) {
    for (const { path, value: name } of entries) {
      const checked = await check(kind, resolve(folder, name), name);
      if (checked.kind === 'fault') findings.push({ path, what: checked.what, next: checked.next });
      else if (checked.pem !== undefined) certificates.set(name, checked.pem);
    }
  }
  return { findings: [...findings, ...(await keyMismatch(value, folder, certificates))], certificates };
}

const TLS = ['listen', 'tls'];

function namedIn(value: unknown): readonly { readonly kind: Kind; readonly entries: readonly TextEntry[] }[] {
  const registries = items(value, ['registries']).map(({ path }) => path);
  const under = (paths: readonly Path[], ...keys: readonly string[]) =>
    texts(paths.map((path) => entry(value, [...path, ...keys]))).filter(
      ({ value: name }) => !name.includes('\0'),
    );
  const pins = items(value, ['trust', 'pins']).map(({ path }) => path);
  const authorities = [...under(registries, 'ca'), ...under(registries, 'trust', 'ca'), ...under(pins, 'ca')];
  return [
    { kind: 'certificates', entries: [...under([TLS], 'cert'), ...under([TLS], 'clientCa'), ...authorities] },
    { kind: 'key', entries: under([TLS], 'key') },
    {
      kind: 'password',
      entries: [
        ...under(registries, 'auth', 'passwordFile'),
        ...under(registries, 'trust', 'auth', 'passwordFile'),
      ],
    },
  ];
}

async function check(kind: Kind, file: string, name: string): Promise<Checked> {
  try {
    return checkContent(kind, (await readBounded(file, MAX_FILE_BYTES)).toString('utf8'), name);
  } catch (error) {
    const what = `the file ${show(name)} cannot be read: ${readFault(error)}`;
    return { kind: 'fault', what, next: `make ${show(file)} readable, or correct the path` };
  }
}

function checkContent(kind: Kind, content: string, name: string): Checked {
  switch (kind) {
    case 'certificates':
      return checkCertificates(content, name);
    case 'key':
      if (toPrivateKey(content) !== undefined) return { kind: 'fine' };
      return {
        kind: 'fault',
        what: `${show(name)} is no private key`,
        next: 'name a PEM file with a key that has no passphrase',
      };
    case 'password':
      if (/^[^\r\n]/.test(content)) return { kind: 'fine' };
      return {
        kind: 'fault',
        what: `${show(name)} has no password`,
        next: 'write the password on its first line',
      };
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function checkCertificates(content: string, name: string): Checked {
  const blocks = content.match(CERTIFICATE) ?? [];
  if (blocks.length > 0 && blocks.every(isCertificate))
    return { kind: 'fine', pem: `${blocks.join('\n')}\n` };
  const what = blocks.length === 0 ? 'has no PEM certificate' : 'has a certificate that cannot be parsed';
  return {
    kind: 'fault',
    what: `${show(name)} ${what}`,
    next: 'name a PEM file with "BEGIN CERTIFICATE" blocks',
  };
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function toPrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** The pull port's key belongs to the first certificate of its chain. */
async function keyMismatch(
  value: unknown,
  folder: string,
  certificates: ReadonlyMap<string, string>,
): Promise<readonly Finding[]> {
  const [key] = texts([entry(value, [...TLS, 'key'])]);
  const [cert] = texts([entry(value, [...TLS, 'cert'])]);
  const chain = certificates.get(cert?.value ?? '');
  if (key === undefined || chain === undefined) return [];
  const content = await readBounded(resolve(folder, key.value), MAX_FILE_BYTES).catch(() => undefined);
  const privateKey = content === undefined ? undefined : toPrivateKey(content.toString('utf8'));
  if (privateKey === undefined || new X509Certificate(chain).checkPrivateKey(privateKey)) return [];
  const what = `${show(key.value)} is not the key of the certificate in listen.tls.cert`;
  return [{ path: key.path, what, next: 'name the key the certificate was issued for' }];
}
