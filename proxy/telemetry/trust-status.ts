/** What is shown of the verified trust of one repository. */
import type { RoleStatus } from '../trust-client/types.ts';

/** The verified trust of one repository, as it was read last. */
export type TrustStatus = {
  readonly gun: string;
  readonly expires: Date;
  readonly firstToExpire: string;
  readonly verifiedAt: Date | undefined;
  readonly roles: readonly RoleStatus[];
};

/** Roles and key IDs that are kept and shown of one repository, in number; a publisher may declare thousands. */
export const MAX_SHOWN_ROLES = 16;
const MAX_SHOWN_KEYS = 8;

export function toShownRoles(roles: readonly RoleStatus[]): readonly RoleStatus[] {
  return roles.slice(0, MAX_SHOWN_ROLES).map((role) => ({
    ...role,
    keyIds: role.keyIds.slice(0, MAX_SHOWN_KEYS),
    canonicalKeyIds: role.canonicalKeyIds.slice(0, MAX_SHOWN_KEYS),
  }));
}
