/** Whether the signers a rule asks for hold the digest, each with the keys the rule names. */
import type { SigningKeys } from '../trust-client/types.ts';
import type { SignerRequirement } from './types.ts';

/** Who signed each delegation, as `VerifiedTrust.signingKeys` has it. */
type Known = ReadonlyMap<string, SigningKeys> | undefined;

/**
 * True when at least `count` different names of the requirement are among the signers. A count below one, and more
 * than there are names, is never met. A name with pinned keys counts only when they alone reach the threshold of its
 * delegation: the holder of the repository key can declare any name, with any key beside the right one.
 */
export function meets(required: SignerRequirement, signers: readonly string[], known?: Known): boolean {
  const names = new Set(required.names);
  const held = new Set(
    signers.filter((signer) => names.has(signer) && isByPinnedKeys(required, signer, known)),
  );
  return required.count >= 1 && held.size >= required.count;
}

/** Names of the requirement that did not sign, or not with the keys it names, in the rule's order. */
export function missingSigners(
  required: SignerRequirement,
  signers: readonly string[],
  known?: Known,
): readonly string[] {
  const held = new Set(signers);
  return [...new Set(required.names)].filter(
    (name) => !(held.has(name) && isByPinnedKeys(required, name, known)),
  );
}

/** Names of the requirement that signed, but with other keys than it names. */
export function signedByOtherKeys(
  required: SignerRequirement,
  signers: readonly string[],
  known?: Known,
): readonly string[] {
  const held = new Set(signers);
  return missingSigners(required, signers, known).filter((name) => held.has(name));
}

function isByPinnedKeys({ pins = [] }: SignerRequirement, name: string, known: Known): boolean {
  return pins
    .filter((pin) => pin.name === name)
    .every((pin) => {
      const signed = known?.get(name);
      if (signed === undefined) return false;
      const pinned = signed.keys.filter((ids) => ids.some((id) => pin.keys.includes(id)));
      // At least one, whatever was declared; a threshold that is not a number is never reached.
      return pinned.length >= Math.max(1, signed.threshold);
    });
}
