import type { ApiClient } from '../cli/api-client.ts';
import type { StoredTemplate } from './service.ts';

export const PATH = '/api/v1/templates';

/** A template as the API answers with it. */
export type ShownTemplate = Omit<StoredTemplate, 'createdAt' | 'updatedAt'> & {
  createdAt?: string;
  updatedAt?: string;
};

/** Every template, newest first. */
export async function allTemplates(api: ApiClient): Promise<ShownTemplate[]> {
  const found: ShownTemplate[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const answer: { data: ShownTemplate[]; page: { next: string | null } } = await api.call(
      'GET',
      `${PATH}?limit=200${query}`,
    );
    found.push(...answer.data);
    cursor = answer.page.next;
  }
  return found;
}

/** The template that a send names by this code; undefined where there is none. */
export async function templateWithCode(api: ApiClient, code: string): Promise<ShownTemplate | undefined> {
  const path = `${PATH}?code=${encodeURIComponent(code)}`;
  const { data } = await api.call<{ data: ShownTemplate[] }>('GET', path);
  return data[0];
}
