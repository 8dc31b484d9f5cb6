/** The tables of `templates/`. */
export interface TemplatesTables {
  /**
   * Texts that callers keep and name in a send, without the texts themselves.
   * @kept until it is deleted; a deleted one stays as long as messages made from it may
   * @index templates_by_code one template for each code of a project; a deleted one frees its code
   * @index templates_of_other_projects a project's list, newest first; those of the default project are not in it
   */
  templates: {
    /** `tpl_…` */
    id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** What a send names it by. */
    code: string;
    /** For people. */
    name: string;
    /** The number of the version that sends use now. */
    version: number;
    /** 1, or 0 where sends may not use it. */
    is_active: number;
    /** Messages made from it; written behind them, a few times a second. */
    usage_count: number;
    /** When it was made. */
    created_at: number;
    /** When it was last changed. */
    updated_at: number;
    /** When it was deleted; null while it is there. */
    deleted_at: number | null;
  };

  /**
   * What a template says and said: each change of its texts is a row, which never changes.
   * @kept with its template
   */
  template_versions: {
    /** The template. */
    template_id: string;
    /** Counts up from 1. */
    version: number;
    /** JSON: content, language, variables, translations. */
    content: string;
    /** When it was made. */
    created_at: number;
    /** Who made it. */
    created_by: string;
  };
}
