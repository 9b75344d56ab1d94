/** A registry that tells each manifest truly once, and from then on answers its digest with something else. */
import type { IncomingMessage } from 'node:http';
import { MEDIA_TYPES } from '../../../proxy/demo/image.ts';
import { RegistryServer } from '../../../proxy/demo/registry.ts';
import type { Answer } from '../../../proxy/demo/simulated-server.ts';

/** What it says in place of the manifest. */
export const LIES = [
  { status: 203, hasOther: true },
  { status: 204, hasOther: false },
  { status: 206, hasOther: true },
  { status: 304, hasOther: false },
  { status: 200, hasOther: true },
] as const;
export type Lie = (typeof LIES)[number];

const BY_DIGEST = /\/manifests\/(sha256:[0-9a-f]{64})$/;

export class HostileRegistry extends RegistryServer {
  /** How often it lied. */
  told = 0;
  /** How many manifests it was asked for by digest. */
  fetched = 0;
  readonly #lies = new Map<string, { readonly lie: Lie; readonly other: Uint8Array }>();
  readonly #seen = new Set<string>();

  /** From the second GET of this digest on. */
  lieAbout(digest: string, lie: Lie, other: Uint8Array): void {
    this.#lies.set(digest, { lie, other });
  }

  protected override answer(request: IncomingMessage): Answer {
    const digest = BY_DIGEST.exec(request.url ?? '')?.[1] ?? '';
    if (request.method === 'GET' && digest !== '') this.fetched += 1;
    const found = request.method === 'GET' ? this.#lies.get(digest) : undefined;
    if (found === undefined) return super.answer(request);
    if (!this.#seen.has(digest)) {
      this.#seen.add(digest);
      return super.answer(request);
    }
    this.told += 1;
    return {
      status: found.lie.status,
      headers: { 'Content-Type': MEDIA_TYPES.docker, 'Docker-Content-Digest': digest },
      body: found.lie.hasOther ? found.other : Buffer.alloc(0),
    };
  }
}
