/** Finds and reads each file the configuration names, once, and checks that it holds what its key says. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { certificateFindings, certifiedPlaces } from './certificate-checks.ts';
import { type Finding, type Path, show } from './errors.ts';
import { entry, items, type TextEntry, texts } from './lookup.ts';
import { MAX_FILE_BYTES, readBounded, readFault } from './read-bounded.ts';

type Kind = 'certificates' | 'key' | 'password' | 'folder';

/** What was read: the certificates of a file as PEM, by its path as configured. Keys and passwords are not kept. */
export type NamedFiles = {
  readonly findings: readonly Finding[];
  readonly certificates: ReadonlyMap<string, string>;
};

type Fault = { readonly kind: 'fault'; readonly what: string; readonly next: string };
type Checked = { readonly kind: 'fine'; readonly pem?: string; readonly key?: KeyObject } | Fault;

/** Reads and checks every file named in unvalidated data; relative paths start at `folder`. */
export async function readNamedFiles(value: unknown, folder: string): Promise<NamedFiles> {
  const findings: Finding[] = [];
  const certificates = new Map<string, string>();
  const keys = new Map<string, KeyObject>();
  for (const { kind, entries } of namedIn(value)) {
    for (const { path, value: name } of entries) {
      const checked = await check(kind, resolve(folder, name), name);
      if (checked.kind === 'fault') findings.push({ path, what: checked.what, next: checked.next });
      else if (checked.pem !== undefined) certificates.set(name, checked.pem);
      else if (checked.key !== undefined) keys.set(name, checked.key);
    }
  }
  return { findings: [...findings, ...certificateFindings(value, certificates, keys)], certificates };
}

function namedIn(value: unknown): readonly { readonly kind: Kind; readonly entries: readonly TextEntry[] }[] {
  const registries = items(value, ['registries']).map(({ path }) => path);
  const under = (paths: readonly Path[], ...keys: readonly string[]) =>
    texts(paths.map((path) => entry(value, [...path, ...keys]))).filter(
      ({ value: name }) => !name.includes('\0'),
    );
  const pins = items(value, ['trust', 'pins']).map(({ path }) => path);
  const certified = certifiedPlaces(value);
  const authorities = [
    ...under([['listen', 'tls']], 'clientCa'),
    ...under(registries, 'ca'),
    ...under(registries, 'trust', 'ca'),
    ...under(pins, 'ca'),
  ];
  return [
    { kind: 'certificates', entries: [...under(certified, 'cert'), ...authorities] },
    { kind: 'key', entries: under(certified, 'key') },
    {
      kind: 'password',
      entries: [
        ...under(registries, 'auth', 'passwordFile'),
        ...under(registries, 'trust', 'auth', 'passwordFile'),
      ],
    },
    { kind: 'folder', entries: under([['trust', 'state']], 'path') },
  ];
}

async function check(kind: Kind, file: string, name: string): Promise<Checked> {
  if (kind === 'folder') return await checkFolder(file);
  try {
    return checkContent(kind, (await readBounded(file, MAX_FILE_BYTES)).toString('utf8'), name);
  } catch (error) {
    return fileFault(error, name, file);
  }
}

/** It need not exist: `serve` creates it, unless a file is in its place. */
async function checkFolder(path: string): Promise<Checked> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined && dirname(path) !== path) return await checkFolder(dirname(path));
  if (stats?.isDirectory() !== false) return { kind: 'fine' };
  const what = `${show(path, SHOWN_OF_PATH)} is a file where a folder is expected`;
  return { kind: 'fault', what, next: 'name a folder; it is created if it does not exist' };
}

/** Characters of a path that are shown: all of it, so that the file can be found. */
const SHOWN_OF_PATH = 4096;

/**
 * Why a file cannot be read, and what to do.
 *
 * @param name as configured.
 * @param file the absolute path it stands for.
 */
export function fileFault(error: unknown, name: string, file: string): Fault {
  const full = show(file, SHOWN_OF_PATH);
  const fault = readFault(error);
  const cannot = `the file ${show(name)} cannot be read: ${fault.why}`;
  switch (fault.kind) {
    case 'missing': {
      const from = `: looked for ${full}, relative to the folder of the configuration file`;
      const what = `there is no file ${show(name)}${isAbsolute(name) ? '' : from}`;
      return { kind: 'fault', what, next: 'create it, or correct the path' };
    }
    case 'folder':
      return { kind: 'fault', what: cannot, next: 'name a file' };
    case 'too_long':
      return { kind: 'fault', what: cannot, next: 'name the right file' };
    case 'unreadable':
      return { kind: 'fault', what: cannot, next: `make ${full} readable, or correct the path` };
  }
}

function checkContent(kind: Exclude<Kind, 'folder'>, content: string, name: string): Checked {
  switch (kind) {
    case 'certificates':
      return checkCertificates(content, name);
    case 'key':
      return checkKey(toPrivateKey(content), name);
    case 'password':
      if (/^[^\r\n]/.test(content)) return { kind: 'fine' };
      return {
        kind: 'fault',
        what: `${show(name)} is empty or starts with an empty line`,
        next: 'write the password on its first line',
      };
  }
}

function checkKey(key: KeyObject | undefined, name: string): Checked {
  if (key !== undefined) return { kind: 'fine', key };
  const what = `${show(name)} must be a private key`;
  return { kind: 'fault', what, next: 'name a PEM file with a private key without a passphrase' };
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
