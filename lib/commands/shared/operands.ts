import { claimName } from '../../cli/values.js';

export const claimOperand = { name: 'NAMESPACE/PVC', description: 'a claim', parse: claimName };
