// What a runtime is held to: each rule once, with the clause of the protocol that it comes from.

export type Rule = { says: string; clause: string };

const rule = (says: string, clause: string): Rule => ({ says, clause });

export const rules = {
  // There.
  registers: rule("it says AgentRuntimeRegistered on its own subject", "§4 AgentRuntimeRegistered, §7 Registration"),
  capabilities: rule("it names its agents, and how many may run at once", "§7 Registration: capabilities"),
  terms: rule("its lease is longer than one beat", "§7 Registration: heartbeat every 5 s, lease 15 s"),
  "registers-again": rule("it registers again when it hears that its lease has expired", "§5 R1, R4"),
  beats: rule("it beats as often as it says", "§7 Registration: heartbeat, one missed = suspect"),
  "beats-count": rule("the seq of its beats grows", "§4 AgentRuntimeHeartbeat: seq"),
  "beats-in-flight": rule("its beats count what runs", "§4 AgentRuntimeHeartbeat: in_flight"),
  // An order.
  acknowledges: rule("an order is acknowledged on the reply subject of the request", "§4 AgentRuntimeExecute"),
  "acknowledges-first": rule("the acknowledgment comes before anything else", "§7 AR acknowledges before it starts"),
  starts: rule("AgentExecutionStarted says which runtime runs it", "§5 C1, §4 AgentExecutionStarted"),
  thinks: rule("an AgentThinking comes after it has started and before its result", "§4 AR publishes an AgentThinking"),
  answers: rule("the result comes on reply_to_subject", "§4 AgentRuntimeExecute: AgentExecutionResult"),
  "answers-exactly": rule("the output is what the agent returned, letter by letter", "§3 result.output"),
  "answers-once": rule("one result comes, and nothing after it", "§5 I2, C11"),
  "sections-kept": rule("workflow, task and agent are those of the order", "§3 sections"),
  "attempt-kept": rule("context.attempt is that of the order", "§3 context.attempt"),
  "correlation-kept": rule("correlation_id is that of the order", "§3 correlation_id: inherited"),
  causation: rule("causation_id names the order", "§3 causation_id: message_id of the cause"),
  "message-ids": rule("each message has an id of its own, and the header Nats-Msg-Id repeats it", "§3 message_id"),
  "correlation-header": rule("the header Troupe-Correlation-Id repeats the correlation id", "§3 correlation_id"),
  timestamps: rule("event_timestamp is now, in UTC with milliseconds", "§3 event_timestamp"),
  source: rule("source_component says who speaks", "§3 source_component, list of codes"),
  trace: rule("traceparent is passed on", "§3 headers traceparent, tracestate pass through"),
  "well-formed": rule("every message is one of the protocol, without old words", "§2 subjects, §3 envelope, §4"),
  progress: rule("what the agent thinks, says and does is told, in order", "§4 AgentThinking, AgentToken, AgentStep"),
  "two-at-once": rule("two runs at once do not mix", "§7 max_concurrent_executions"),
  large: rule("an input and an output of half a megabyte arrive whole", "§7 Size: limit 1 MiB"),
  "too-large": rule("an output over the limit is an AGENT_ERROR, cause PAYLOAD_TOO_LARGE", "§6, §7 Size"),
  fails: rule("a failing agent is an AGENT_ERROR with its own code in details.cause_code", "§3 result.error, §5 C3"),
  empty: rule("an empty output is an AGENT_ERROR, cause EMPTY_RESULT", "§4 empty agent output"),
  // The same again.
  "repeat-acknowledged": rule("a repeated order is acknowledged as a duplicate", "§7 Idempotency, §4 CommandAck"),
  "repeat-runs-once": rule("a repeated order begins nothing", "§7 Idempotency: exec_id, attempt"),
  "repeat-answered-once": rule("a repeated order leads to no second, different result", "§7 Idempotency"),
  // Refused.
  "unknown-agent": rule("an agent it does not have is refused with AGENT_NOT_FOUND", "§6 AGENT_NOT_FOUND"),
  "unknown-command": rule("a command that the protocol does not know is refused, never acknowledged", "§7 Refused"),
  "unknown-command-kept": rule("and kept as MessageRejected", "§7 Refused: always all of"),
  "bad-bytes": rule("bytes that are no JSON are refused with INVALID_ENVELOPE", "§6, §7 Refused"),
  "bad-bytes-kept": rule("and kept as MessageRejected with the bytes", "§4 MessageRejected, §7 Refused"),
  "bad-fields": rule("an order without its input is refused with VALIDATION_FAILED", "§6, §7 Refused"),
  "bad-name": rule("a message_type that contradicts the subject is refused", "§6 MESSAGE_TYPE_MISMATCH"),
  "bad-survived": rule("after all that it goes on working", "§7 Refused"),
  "over-capacity": rule(
    "more than it can take is refused with AGENT_RUNTIME_BUSY, and does not begin",
    "§6, §7 Re-send",
  ),
  "capacity-freed": rule("what has ended makes room", "§7 max_concurrent_executions"),
  // Canceled.
  "cancel-acknowledged": rule("a cancel is acknowledged", "§4 AgentRuntimeCancel"),
  "cancel-answered": rule("a canceled run answers FAILURE, AGENT_CANCELED within 5 s", "§5 C9, C10"),
  "cancel-again": rule("a second cancel is acknowledged with no_change", "§4 CommandAck: no_change"),
  "cancel-unknown": rule("a cancel of what does not run is refused with EXECUTION_NOT_FOUND", "§5 C13"),
  "cancel-ended": rule("a cancel after the end changes nothing and is no ACKNOWLEDGED", "§5 C13"),
  "cancel-silent": rule(
    "canceled with cause timed_out it stops without an answer",
    "§5: a callee stops without a reply",
  ),
  // Tools that agents call.
  "calls-tool": rule("ToolExecute names agent, attempt and time, and wants its answer in the runtime's inbox", "§7"),
  "tool-answer-taken": rule("what the tool answers reaches the agent", "§5 C2"),
  "tool-reported": rule("the runtime says how the call ended: ToolExecutionSuccess or Failed", "§5 C2, C3: the caller"),
  "tool-failure-told": rule("a failing tool fails the agent with the tool's code", "§3 details.cause_code"),
  "tool-nobody": rule("a tool that nobody serves fails at once with TOOL_DISPATCH_FAILED", "§5 C6"),
  "tool-canceled": rule("a canceled agent cancels the tool it waits for", "§5 C9"),
  // Tools that it serves.
  "tool-starts": rule("ToolExecutionStarted comes before the result", "§5 C1"),
  "tool-answers": rule("the result comes on the reply subject, and says what the tool returned", "§4 ToolExecute"),
  "tool-kept": rule("sections, attempt, correlation and causation are those of the order", "§3"),
  "tool-fails": rule("a failing tool is a TOOL_ERROR with its own code in details.cause_code", "§5 C3"),
  "tool-empty": rule("a tool may return nothing: SUCCESS with an empty output", "§3 nothing as {}"),
  "tool-input": rule("an input that breaks its schema is TOOL_INPUT_INVALID, and nothing starts", "§6"),
  "tool-cancel": rule("a canceled tool answers FAILURE, TOOL_CANCELED within 5 s", "§5 C9"),
  "tool-cancel-silent": rule("canceled with cause timed_out it stops without an answer", "§5"),
  "tool-repeat": rule("a repeated order runs once, and is answered the same", "§7 Idempotency"),
  "tool-bad-bytes": rule("bytes that are no order are refused", "§7 Refused"),
  // Going.
  drains: rule("told to end, it says so at once by a beat with draining: true", "§7 Registration"),
  "drain-refuses": rule("a draining runtime takes nothing new", "§7: gets nothing more"),
  "drain-finishes": rule("what runs may end, and its result comes", "§5 R2: after its runs"),
  farewell: rule("it says AgentRuntimeDeregistered, shutdown, last of all", "§5 R2"),
  ends: rule("its process ends with 0", "§5 R2"),
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof rules;

/** What came, held against a rule. */
export type Verdict = {
  is: "kept" | "broken" | "untried";
  /** What was expected and what came instead, if it was broken. */
  expected?: string;
  came?: string;
  /** The message that breaks it. */
  subject?: string;
  bytes?: string;
  /** Why it was not tried. */
  because?: string;
};

export type Verdicts = { readonly [id in RuleId]: Verdict };
