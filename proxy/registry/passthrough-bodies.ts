/** Bodies that do not only stream by: manifests compared with their digest, answers kept, refusals restated. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from './body.ts';
import { hasManifestDigest } from './digest.ts';
import { UpstreamError } from './errors.ts';
import { MAX_MANIFEST_BYTES } from './manifest.ts';
import type { Forward } from './passthrough.ts';
import { writeHeaders } from './passthrough-headers.ts';
import type { Digest } from './reference.ts';
import { toRelayed } from './relay.ts';
import { sendResponse } from './send-response.ts';
import type { Response } from './types.ts';

/** A manifest by digest: read as a whole and compared, so that no byte of another one leaves (§5). */
export async function relayConfirmed(
  answer: IncomingMessage,
  res: ServerResponse,
  forward: Forward & { readonly digest: Digest },
): Promise<void> {
  const leave = (): void => void answer.destroy();
  res.once('close', leave);
  try {
    const bytes = await readBody(answer, MAX_MANIFEST_BYTES);
    const contentType = answer.headers['content-type'];
    if (!hasManifestDigest(bytes, forward.digest, contentType)) {
      const what = 'the registry sent other bytes than the digest names';
      return sendResponse(res, forward.onFailed('digest_mismatch', what));
    }
    const refusal = await forward.onConfirmed?.({ bytes, contentType });
    if (refusal !== undefined) return sendResponse(res, refusal);
    forward.onServed(200);
    writeHeaders(answer, res, forward);
    res.setHeader('docker-content-digest', forward.digest);
    res.setHeader('content-length', bytes.length);
    res.statusCode = 200;
    res.end(bytes);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    const isLong = error.kind === 'too_large';
    const what = isLong
      ? `the registry sent more than ${MAX_MANIFEST_BYTES} bytes`
      : `the registry did not give the whole answer (${error.kind})`;
    sendResponse(res, forward.onFailed(isLong ? 'digest_mismatch' : 'registry_unreachable', what));
  } finally {
    res.off('close', leave);
  }
}

/** Collects what streams by, while it is short enough; a transfer that is cut is forgotten. */
export function keep(answer: IncomingMessage, { maxBytes, onWhole }: NonNullable<Forward['keep']>): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const collect = (chunk: Buffer): void => {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
    else chunks.splice(0);
  };
  answer.on('data', collect);
  answer.once('end', () => {
    if (answer.complete && length <= maxBytes)
      onWhole({ bytes: Buffer.concat(chunks, length), contentType: answer.headers['content-type'] });
  });
}

/** An upstream's refusal as a whole. */
export function toRefusal(answer: IncomingMessage): Promise<Response> {
  const headers = new Map(
    Object.entries(answer.headersDistinct).map(([name, values]) => [name, values ?? []]),
  );
  return toRelayed({ status: answer.statusCode ?? 502, headers, body: answer });
}
