/**
 * The operand that names a claim in a shell, quoted where it has to be; null where no command can be given for it: a
 * command that is copied from the page must do what it says, whatever a tenant calls a claim.
 */
export function claimOperand(namespace: string, pvc: string): string | null {
  const operand = `${namespace}/${pvc}`;
  if (/^[a-z0-9][a-z0-9.-]*\/[a-z0-9][a-z0-9.-]*$/.test(operand)) return operand;
  // What is not plain ASCII may look like something else.
  if (!/^[\x20-\x7e]+$/.test(operand) || operand.startsWith('-')) return null;
  return `'${operand.replaceAll("'", `'\\''`)}'`;
}

export interface ClaimCommand {
  /** What it is for. */
  title: string;
  command: string;
}

/** In commands: the claim and the snapshot that are filled in. */
const claim = '{claim}';

/**
 * How one gets at a claim's backups, by its kind. Templates, which the page's script fills in too, so that they are in the
 * page only once.
 */
export const commandTemplates: Record<'disk' | 'files', readonly ClaimCommand[]> = {
  files: [
    { title: 'List its files', command: `cephbackup ls ${claim}` },
    { title: 'Look into it, read-only', command: `mkdir -p look && cephbackup open ${claim} ./look` },
    { title: 'All files', command: `cephbackup restore ${claim} --to-directory ./restored` },
    {
      title: 'One file or folder',
      command: `cephbackup restore ${claim} --path /PATH --to-directory ./restored`,
    },
    {
      title: 'Into another claim',
      command: `cephbackup restore ${claim} --to-pvc NAMESPACE/NEW-CLAIM`,
    },
  ],
  disk: [
    {
      title: 'Look into its partitions, read-only',
      command: `mkdir -p look && cephbackup open ${claim} ./look`,
    },
    { title: 'Then, elsewhere: one file out of its first partition', command: 'cp -a ./look/1/PATH .' },
    {
      title: 'The same without looking: one file or folder of a partition',
      command: `cephbackup restore ${claim} --partition 1 --path /PATH --to-directory ./restored`,
    },
    { title: 'The disk as a file', command: `cephbackup restore ${claim} --to-file ./disk.qcow2` },
    {
      title: 'Into another claim',
      command: `cephbackup restore ${claim} --to-pvc NAMESPACE/NEW-CLAIM`,
    },
  ],
};

/** The command that makes the state of a claim right, as far as one can. */
export function runCommand(namespace: string, pvc: string): string | null {
  const operand = claimOperand(namespace, pvc);
  return operand === null ? null : `cephbackup run --pvc ${operand}`;
}
