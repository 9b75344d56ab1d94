/** Configurations in a folder of their own, with the files they name. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createTlsIdentity } from '../simulators/tls-identity.ts';

const folders: string[] = [];

export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pullwarden-config-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}

/** Writes a file, its folders included. @returns its path. */
export function write(folder: string, name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

/** A configuration in a new folder. @returns its path. */
export function writeConfig(content: string | Uint8Array): string {
  return write(createFolder(), 'pullwarden.yaml', content);
}

/** A certificate and the private key that belongs to it, PEM. */
export function createCertified(hosts?: readonly string[]): { readonly cert: string; readonly key: string } {
  const { cert, key } = createTlsIdentity(hosts);
  return { cert, key };
}

export const REGISTRIES = `registries:
  - name: docker.io
    upstream: https://registry-1.docker.io
    aliases: [index.docker.io]
    trust: { server: https://notary.example.com }
`;

export const POLICY = `policy:
  rules:
    - { name: all, match: docker.io/**, mode: enforce }
`;
