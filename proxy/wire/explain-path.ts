/** What was wrong with a path the grammar refused, for the person who sent it. Decides nothing. */

import { isRepository } from '../names/reference.ts';
import { quote } from './query.ts';
import type { OciCode } from './types.ts';

export type PathProblem = { readonly code: OciCode; readonly message: string };

export function explainPath(path: string): PathProblem {
  const problem = (code: OciCode, message: string): PathProblem => ({ code, message });
  if (/^https?:\/\//i.test(path)) {
    const next = 'set this proxy as HTTPS_PROXY, and address the registry with https://';
    return problem('NAME_INVALID', `requests in absolute form are not proxied; ${next}`);
  }
  if (!path.startsWith('/')) return problem('NAME_INVALID', 'the request-target must start with a slash');
  const parts = splitReference(path);
  if (parts === undefined) {
    return problem(
      'NAME_INVALID',
      `${quote(path)} is not a path this proxy answers; nothing in it is decoded or corrected`,
    );
  }
  const { name, kind, reference } = parts;
  if (!isRepository(name)) {
    const rule = 'lower-case letters and digits, separated by ".", "_", "__", "-" or "/"';
    return problem('NAME_INVALID', `${quote(name)} is not a repository name: ${rule}`);
  }
  if (kind !== 'manifests' || reference.includes(':')) {
    const rule = 'sha256: with 64 or sha512: with 128 lower-case hex digits';
    return problem('DIGEST_INVALID', `${quote(reference)} is not a digest: ${rule}`);
  }
  const rule = 'at most 128 letters, digits, "_", "." or "-", of which "." and "-" cannot come first';
  return problem('TAG_INVALID', `${quote(reference)} is not a tag: ${rule}`);
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
