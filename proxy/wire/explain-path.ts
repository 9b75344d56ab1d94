/** What was wrong with a path the grammar refused, for the person who sent it. Decides nothing. */

import { isRepository } from '../names/reference.ts';
import type { OciCode } from '../reason.ts';
import { FAULTS, type Fault } from '../words.ts';

export function explainPath(path: string): Fault {
  const problem = (code: OciCode, message: string): Fault => ({ code, message });
  if (/^https?:\/\//i.test(path)) return problem('NAME_INVALID', FAULTS.absoluteForm);
  if (!path.startsWith('/')) return problem('NAME_INVALID', FAULTS.noSlash);
  const parts = splitReference(path);
  if (parts === undefined) return problem('NAME_INVALID', FAULTS.path(path));
  const { name, kind, reference } = parts;
  if (!isRepository(name)) return problem('NAME_INVALID', FAULTS.repository(name));
  if (kind !== 'manifests' || reference.includes(':'))
    return problem('DIGEST_INVALID', FAULTS.digest(reference));
  return problem('TAG_INVALID', FAULTS.tag(reference));
}

type Parts = { readonly name: string; readonly kind: string; readonly reference: string };

function splitReference(path: string): Parts | undefined {
  if (!path.startsWith('/v2/')) return undefined;
  const kinds = ['manifests', 'blobs', 'referrers'].map((kind) => ({
    kind,
    at: path.lastIndexOf(`/${kind}/`),
  }));
  const last = kinds.reduce((best, next) => (next.at > best.at ? next : best));
  if (last.at < '/v2/'.length) return undefined;
  return {
    name: path.slice('/v2/'.length, last.at),
    kind: last.kind,
    reference: path.slice(last.at + last.kind.length + 2),
  };
}
