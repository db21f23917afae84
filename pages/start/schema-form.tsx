// A form made from a JSON Schema: fields, nested ones and lists; what has no form of its own is typed as JSON.

import type { ComponentChildren } from "preact";
import { JsonField } from "../parts/json-field.tsx";
import { type Defect, initialOf, isPlain, resolved, type Schema, typeOf } from "./schema.ts";

type Set = (value: unknown) => void;
type Props = {
  readonly name: string;
  readonly path: string;
  readonly schema: Schema | boolean | undefined;
  readonly root: Schema;
  readonly value: unknown;
  readonly isRequired: boolean;
  readonly defects: readonly Defect[];
  /** Those whose emptiness was seen: nobody is told off before he typed. */
  readonly isTouched: boolean;
  readonly set: Set;
};

export function SchemaForm(props: Omit<Props, "name" | "path" | "isRequired">) {
  const schema = resolved(props.schema, props.root);
  const value = isObject(props.value) ? props.value : {};
  return <Fields {...props} schema={schema} value={value} path="" />;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

type FieldsProps = Omit<Props, "name" | "isRequired" | "value" | "schema"> & {
  readonly schema: Schema;
  readonly value: Record<string, unknown>;
};

function Fields({ schema, value, path, set, ...rest }: FieldsProps) {
  const entries = Object.entries(schema.properties ?? {});
  if (entries.length === 0) return <p class="muted">It takes no input.</p>;
  return (
    <>
      {entries.map(([name, property]) => (
        <Field
          key={name}
          {...rest}
          name={name}
          path={`${path}/${name}`}
          schema={property}
          value={value[name]}
          isRequired={schema.required?.includes(name) ?? false}
          set={(next) => {
            const { [name]: _gone, ...others } = value;
            set(next === undefined ? others : { ...others, [name]: next });
          }}
        />
      ))}
    </>
  );
}

function Field(props: Props) {
  const { name, path, root, value, isRequired, defects, isTouched, set } = props;
  const schema = resolved(props.schema, root);
  const id = `field${path.replaceAll("/", "-")}`;
  const own = defects.filter((defect) => defect.path === path);
  const shown = own.filter(({ message }) => isTouched || message !== "is required");
  const label = schema.title ?? name;
  const type = isPlain(schema) ? typeOf(schema) : "other";
  if (type === "object" && schema.properties) {
    return (
      <Group label={label} schema={schema} isRequired={isRequired}>
        <Fields {...props} schema={schema} value={isObject(value) ? value : {}} />
      </Group>
    );
  }
  if (type === "array" && schema.items !== undefined) return <List {...props} schema={schema} />;
  if (type === "other" || type === "object" || type === "array" || type === "null") {
    const text = value === undefined ? "" : JSON.stringify(value, null, 2);
    return <JsonField id={id} label={label} text={text} rows={4} onChange={(given) => set(given?.value)} />;
  }
  return (
    <div class="field">
      <label for={id} class={type === "boolean" ? "row" : undefined}>
        {type === "boolean" && <Input id={id} schema={schema} value={value} isWrong={false} set={set} />}
        <span>
          {label}
          {isRequired && type !== "boolean" && <Star />}
        </span>
      </label>
      {type !== "boolean" && (
        <Input id={id} schema={schema} value={value} isWrong={shown.length > 0} isRequired={isRequired} set={set} />
      )}
      {schema.description !== undefined && <span class="hint">{schema.description}</span>}
      {shown.map(({ message }) => (
        <span class="wrong" key={message} role="alert">
          {message}
        </span>
      ))}
    </div>
  );
}

const Star = () => (
  <span class="star" title="required">
    {" "}
    *
  </span>
);

type InputProps = {
  readonly id: string;
  readonly schema: Schema;
  readonly value: unknown;
  readonly isWrong: boolean;
  readonly isRequired?: boolean;
  readonly set: Set;
};

function Input({ id, schema, value, isWrong, isRequired, set }: InputProps) {
  const all = { id, "aria-invalid": isWrong, "aria-required": isRequired };
  const options = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (options) {
    const at = options.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
    return (
      <select {...all} value={String(at)} onChange={(event) => set(options[Number(event.currentTarget.value)])}>
        <option value="-1">{isRequired === true ? "choose …" : "–"}</option>
        {options.map((one, index) => (
          <option key={String(one)} value={String(index)}>
            {typeof one === "string" ? one : JSON.stringify(one)}
          </option>
        ))}
      </select>
    );
  }
  const type = typeOf(schema);
  if (type === "boolean") {
    return (
      <input {...all} type="checkbox" checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />
    );
  }
  const text = textOf(value);
  const placeholder = textOf(schema.examples?.[0]);
  if (type === "integer" || type === "number") {
    const typed = (given: string): void => set(given === "" ? undefined : Number(given));
    return (
      <input
        {...all}
        type="number"
        step={type === "integer" ? 1 : "any"}
        min={schema.minimum}
        max={schema.maximum}
        placeholder={placeholder}
        value={text}
        onInput={(event) => typed(event.currentTarget.value)}
      />
    );
  }
  const typed = (given: string): void => set(given === "" ? undefined : given);
  if ((schema.maxLength ?? 0) > 200 || schema.format === "textarea") {
    return <textarea {...all} rows={4} value={text} onInput={(event) => typed(event.currentTarget.value)} />;
  }
  const onInput = (event: { currentTarget: HTMLInputElement }): void => typed(event.currentTarget.value);
  if (schema.format === "date") return <input {...all} type="date" value={text} onInput={onInput} />;
  if (schema.format === "password") return <input {...all} type="password" value={text} onInput={onInput} />;
  return <input {...all} type="text" placeholder={placeholder} value={text} onInput={onInput} />;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

type GroupProps = { label: string; schema: Schema; isRequired: boolean; children: ComponentChildren };
const Group = ({ label, schema, isRequired, children }: GroupProps) => (
  <fieldset>
    <legend>
      {label}
      {isRequired && <Star />}
    </legend>
    {schema.description !== undefined && <p class="hint muted small">{schema.description}</p>}
    {children}
  </fieldset>
);

function List({ schema, ...props }: Props & { readonly schema: Schema }) {
  const { name, path, root, value, isRequired, defects, isTouched, set } = props;
  const items = Array.isArray(value) ? (value as unknown[]) : [];
  const put = (index: number, item: unknown): void => set(items.map((one, at) => (at === index ? (item ?? "") : one)));
  const own = defects.filter(({ path: at, message }) => at === path && (isTouched || message !== "is required"));
  const label = schema.title ?? name;
  return (
    <Group label={label} schema={schema} isRequired={isRequired}>
      {items.map((item, index) => (
        <div class="item" key={index}>
          <div class="grow">
            <Field
              {...props}
              name={`${label} ${index + 1}`}
              path={`${path}/${index}`}
              schema={schema.items}
              value={item}
              isRequired={false}
              set={(next) => put(index, next)}
            />
          </div>
          <button
            type="button"
            class="quiet small"
            aria-label={`Remove ${label} ${index + 1}`}
            onClick={() => set(items.filter((_one, at) => at !== index))}
          >
            Remove
          </button>
        </div>
      ))}
      <div class="row">
        <button
          type="button"
          class="small"
          onClick={() => set([...items, initialOf(schema.items, root) ?? firstOf(resolved(schema.items, root))])}
        >
          Add {label}
        </button>
        {own.map(({ message }) => (
          <span class="wrong" key={message}>
            {message}
          </span>
        ))}
      </div>
    </Group>
  );
}

/** What a new item of a list is before anything was typed. */
function firstOf(schema: Schema): unknown {
  if (schema.enum) return schema.enum[0];
  const type = typeOf(schema);
  if (type === "number" || type === "integer") return schema.minimum ?? 0;
  if (type === "boolean") return false;
  return type === "object" ? {} : type === "array" ? [] : "";
}
