/**
 * A manifest that may leave: its bytes were compared with a digest. No other file makes one
 * (test/architecture.test.ts), and a manifest's answer is built from nothing else (pull/manifest-answer.ts).
 */

import { hash } from 'node:crypto';
import { hasDigest } from '../names/digest.ts';
import type { Digest } from '../names/reference.ts';
import { CAUSES } from '../words.ts';
import { hasTooManyValues, MAX_TOKENS } from './json-members.ts';
import { isImageType, ownMediaType, toMediaType } from './media-type.ts';
import { isSchema1, schema1Payload, toSchema1Type } from './schema1.ts';

declare const COMPARED: unique symbol;

export type Confirmed = {
  readonly digest: Digest;
  /** One that the bytes themselves do not contradict. */
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly [COMPARED]: true;
};

/** Why bytes are not what was asked for, in our own words. */
export type Unconfirmed = { readonly kind: 'unconfirmed'; readonly what: string };

/** An answer 200, read as a whole. */
export type WholeAnswer = {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  /** Its Docker-Content-Digest. */
  readonly announced: string | undefined;
};

/** Compares with what was signed: digest and length, under one of the four types the bytes agree with. */
export function confirmSigned(
  answer: WholeAnswer,
  { digest, length }: { readonly digest: Digest; readonly length: number },
): Confirmed | Unconfirmed {
  const { bytes, contentType, announced } = answer;
  if (bytes.length !== length) return unconfirmed(CAUSES.otherLength(bytes.length, length));
  if (!hasDigest(bytes, digest)) return unconfirmed(CAUSES.otherThanSigned);
  if (announced !== undefined && announced !== digest) return unconfirmed(CAUSES.otherDigest);
  const mediaType = toMediaType(bytes, contentType);
  if (mediaType === undefined) return unconfirmed(noType(bytes, CAUSES.signedUnderOtherType));
  return { digest, mediaType, bytes } as Confirmed;
}

/** Compares with the digest that was asked for; schema 1, whose signatures stand inside, by what they are over. */
export function confirmDigest(answer: WholeAnswer, digest: Digest): Confirmed | Unconfirmed {
  const { bytes, contentType, announced } = answer;
  if (announced !== undefined && announced !== digest) return unconfirmed(CAUSES.otherDigest);
  const payload = isSchema1(contentType) ? schema1Payload(bytes) : bytes;
  if (payload === undefined || !hasDigest(payload, digest)) return unconfirmed(CAUSES.otherThanNamed);
  const mediaType = typeOf(bytes, contentType);
  if (mediaType === undefined) return unconfirmed(noType(bytes, CAUSES.underOtherType));
  return { digest, mediaType, bytes } as Confirmed;
}

/** A tag no rule judges has no digest to be compared with but the one its registry announced; absent: the bytes' own. */
export function confirmAnnounced(
  answer: WholeAnswer,
  isDigest: (text: string) => text is Digest,
): Confirmed | Unconfirmed {
  const { announced } = answer;
  if (announced !== undefined && !isDigest(announced)) return unconfirmed(CAUSES.noDigest);
  return confirmDigest(answer, announced ?? digestOf(answer));
}

export function isConfirmed(result: Confirmed | Unconfirmed): result is Confirmed {
  return 'bytes' in result;
}

function digestOf({ bytes, contentType }: WholeAnswer): Digest {
  const payload = isSchema1(contentType) ? schema1Payload(bytes) : undefined;
  return `sha256:${hash('sha256', payload ?? bytes, 'hex')}` as Digest;
}

/**
 * The registry names the type, and the type decides how a client reads the bytes: one that clients know has to agree
 * with them. Under any other, bytes that say themselves what they are go out as that.
 */
function typeOf(bytes: Uint8Array, contentType: string | undefined): string | undefined {
  // What is not read does not say what it is, and must not go out as something else.
  if (hasTooManyValues(bytes)) return undefined;
  if (isImageType(contentType)) return toMediaType(bytes, contentType);
  return toSchema1Type(contentType) ?? ownMediaType(bytes) ?? contentType ?? 'application/octet-stream';
}

/** Why there is no media type that bytes may go out under. */
function noType(bytes: Uint8Array, otherwise: string): string {
  if (!hasTooManyValues(bytes)) return otherwise;
  return CAUSES.tooManyValues(MAX_TOKENS);
}

function unconfirmed(what: string): Unconfirmed {
  return { kind: 'unconfirmed', what };
}
