/** Configurations in a folder of their own, with the files they name. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createKeyPair, type KeyPair } from '../../proxy/demo/signing-key.ts';
import { createCertificate } from '../../proxy/demo/x509-writer.ts';

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

export function selfSigned(pair: KeyPair = createKeyPair()): { readonly cert: string; readonly key: string } {
  const cert = createCertificate({ commonName: 'test', publicKey: pair.publicKey, signer: pair.privateKey });
  return { cert, key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
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
