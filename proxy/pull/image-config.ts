/**
 * Fetches the image configuration before the manifest is served, for clients that fall back to another registry when the
 * configuration is missing.
 */

import type { ImageConfigFailure } from '../registry/image-configs.ts';
import type { HttpClient } from '../upstream/types.ts';
import { formFor } from '../wire/refusal-forms.ts';
import type { Response, SignedManifest } from '../wire/types.ts';
import type { Exchange, RepositoryRoute } from './exchange.ts';
import { toAsker } from './form.ts';
import type { Answer } from './types.ts';

/** @returns why this manifest must not be served to this client now. */
export async function holdImageConfig(
  { deps, request }: Exchange,
  client: HttpClient,
  route: RepositoryRoute,
  manifest: Pick<SignedManifest, 'bytes'>,
): Promise<ImageConfigFailure | undefined> {
  // HEAD is followed by GET of the digest, so the one with the body is enough.
  if (request.method !== 'GET' || !goesElsewhere({ request }, route)) return undefined;
  return deps.imageConfigs.hold(client, route.repository, manifest, request);
}

/** A configuration that was fetched with its manifest, to the caller the manifest was given to. */
export function recallImageConfig(
  { deps, request }: Exchange,
  client: HttpClient,
  route: RepositoryRoute,
): Answer | undefined {
  if (route.kind !== 'blob' || !goesElsewhere({ request }, route)) return undefined;
  const { authorization } = request;
  if (client.auth === 'passthrough' && !deps.isGranted({ ...route, authorization })) return undefined;
  const bytes = deps.imageConfigs.recall(client, route.repository, route.digest);
  return bytes && { kind: 'respond', response: toBlobResponse(route.digest, bytes) };
}

/** Whether what this asker cannot have from us it asks of the public registry. */
export function goesElsewhere({ request }: Pick<Exchange, 'request'>, route: RepositoryRoute): boolean {
  return formFor(toAsker(request, { kind: 'route', route })) === 'stop_esrch';
}

function toBlobResponse(digest: string, bytes: Uint8Array): Response {
  const headers = new Map([
    ['Content-Type', 'application/octet-stream'],
    ['Content-Length', String(bytes.length)],
    ['Docker-Content-Digest', digest],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
    ['ETag', `"${digest}"`],
  ]);
  return { status: 200, reasonPhrase: undefined, headers, body: bytes };
}
