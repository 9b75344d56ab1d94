/**
 * `WWW-Authenticate`, read (RFC 9110 §11.6.1; registry-clients.md §4.2). The header comes from an upstream, so the
 * reader is a single forward scan with bounds, and answers "no challenge" to whatever it does not understand.
 */

/** One challenge; parameter names in lower case. A Map, because the names come from outside. */
export type Challenge = { readonly scheme: string; readonly params: ReadonlyMap<string, string> };

/** Longest header read, in characters; realm URLs and scopes are far shorter. */
const MAX_CHALLENGE_LENGTH = 8 * 1024;
const MAX_CHALLENGES = 8;
const MAX_PARAMS = 16;

// Each is sticky and starts where the last one ended, so no character is looked at more than a few times.
const SEPARATOR = /[\t ,]*/y;
const SCHEME = /([A-Za-z][A-Za-z0-9-]{0,31})(?:[\t ]+|(?=,)|$)/y;
const PARAM = /([A-Za-z0-9_-]{1,64})[\t ]*=[\t ]*(?:"((?:[^"\\]|\\.)*)"|([^\t ,"=]+))(?=[\t ]*(?:,|$))/y;

/** @returns the challenges in order; those after the first thing that is not one are dropped. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = [];
  if (header.length > MAX_CHALLENGE_LENGTH) return challenges;
  let at = skip(header, 0);
  while (at < header.length && challenges.length < MAX_CHALLENGES) {
    const scheme = matchAt(SCHEME, header, at);
    if (scheme?.[1] === undefined) break;
    const params = new Map<string, string>();
    at = readParams(header, at + scheme[0].length, params);
    challenges.push({ scheme: scheme[1].toLowerCase(), params });
  }
  return challenges;
}

function readParams(header: string, start: number, params: Map<string, string>): number {
  let at = skip(header, start);
  while (params.size < MAX_PARAMS) {
    const param = matchAt(PARAM, header, at);
    if (param?.[1] === undefined) break;
    const name = param[1].toLowerCase();
    const value = param[3] ?? (param[2] ?? '').replace(/\\(.)/g, '$1');
    // A repeated parameter is ambiguous; the first one counts.
    if (!params.has(name)) params.set(name, value);
    at = skip(header, at + param[0].length);
  }
  return at;
}

function skip(header: string, at: number): number {
  return at + (matchAt(SEPARATOR, header, at)?.[0].length ?? 0);
}

function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | undefined {
  expression.lastIndex = at;
  return expression.exec(text) ?? undefined;
}
