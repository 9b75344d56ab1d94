/**
 * Telling a replica that is behind from a forgery, by the root that a snapshot goes with: one replica may show a new root
 * and another the files from before it, or the other way round.
 */
import { sha256Hex } from './encoding.ts';
import { TrustError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { parseEnvelope, parseSnapshot } from './metadata.ts';
import type { RootFile } from './root-trust.ts';
import type { StoredTrust } from './types.ts';

/** To show what does not go with today's root says no more than silence would, so it carries no less. */
export function asLag(error: TrustError): TrustError {
  const { code, fault, message, role } = error;
  return new TrustError(code, fault, message, { ...(role && { role }), cause: error, isLag: true });
}

/**
 * What the snapshot says of itself, whoever signed it: it decides only whether its refusal speaks against what was
 * verified before.
 */
export function goesWith(snapshot: Uint8Array, root: RootFile): boolean {
  if (snapshot.length > LIMITS.unsignedSnapshotBytes) return true;
  const { meta } = parseSnapshot(parseEnvelope(snapshot, 'snapshot'));
  return meta.get('root')?.sha256 === root.sha256;
}

/** The remembered files are from before a root that was seen since, so they may not count any more. */
export function isBehind({ roots, files }: StoredTrust, root: RootFile): boolean {
  const snapshot = files.get('snapshot');
  if (snapshot === undefined) return roots.length > 0;
  return !goesWith(snapshot, root);
}

/**
 * Nothing was forged and nothing can be had: to a client the same as a server that is away. The fault says what was seen.
 *
 * @param error a lag, met beside `root`.
 * @param timestamp what was shown. One that is new, and that too few keys signed, may be a mistake in the root.
 */
export function stillBehind(
  { floors }: StoredTrust,
  root: RootFile,
  error: TrustError,
  timestamp: Uint8Array | undefined,
): TrustError {
  const isKnown = timestamp !== undefined && floors.get('timestamp')?.sha256 === sha256Hex(timestamp);
  if (error.role === 'timestamp' && error.fault === 'threshold' && !isKnown) return error;
  return new TrustError(
    'trust_unreachable',
    error.fault,
    `beside root version ${root.metadata.version} the trust server shows only files from before it ` +
      `(${error.message}); ask again when all its replicas have the new ones`,
    { ...(error.role && { role: error.role }), cause: error, isLag: true },
  );
}
