/** What caches between us and a client may do with an answer (RFC 9111; docs/decisions/cache-headers.md). */

/**
 * Of every answer that says nothing else: the next caller may have no right to it, and the next minute another policy.
 * `Vary` is for caches that were told to store all the same.
 */
export const CALLERS_OWN = { 'Cache-Control': 'private, no-cache', Vary: 'Authorization' } as const;

/** Of refusals, redirects and errors. */
export const NOBODYS = 'no-store';

/** Of a file whose name is the hash of its bytes, which everybody may read: 30 days, as Notary has it. */
export const IMMUTABLE = 'public, max-age=2592000';
