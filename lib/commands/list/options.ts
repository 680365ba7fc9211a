import type { Definitions } from '../../cli/options.js';
import { text } from '../../cli/values.js';
import { commonOptions } from '../shared/options/common.js';
import { selectionOptions } from '../shared/options/selection.js';

export const listOptions = {
  ...commonOptions,
  ...selectionOptions,
  from: {
    flag: '--from',
    placeholder: 'FILE',
    description: 'read a `kubectl get ns,pv,pvc -A -o json` (or yaml) dump instead of the API; - is stdin',
    parse: text,
  },
} satisfies Definitions;
