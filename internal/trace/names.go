package trace

// The names of attributes. Those of generative AI are from OpenTelemetry's
// semantic conventions 1.41.0, the last release that has them; they are still
// in development and have moved to conventions of their own since.
const (
	schemaURL = "https://opentelemetry.io/schemas/1.41.0"

	operationName    = "gen_ai.operation.name"
	providerName     = "gen_ai.provider.name"
	requestModel     = "gen_ai.request.model"
	requestStream    = "gen_ai.request.stream"
	responseModel    = "gen_ai.response.model"
	timeToFirstChunk = "gen_ai.response.time_to_first_chunk" // seconds
	inputTokens      = "gen_ai.usage.input_tokens"           // with those of the cache
	cacheReadTokens  = "gen_ai.usage.cache_read.input_tokens"
	cacheWriteTokens = "gen_ai.usage.cache_creation.input_tokens"
	outputTokens     = "gen_ai.usage.output_tokens"

	errorType     = "error.type"
	requestMethod = "http.request.method"
	resendCount   = "http.request.resend_count"
	statusCode    = "http.response.status_code"

	serviceName    = "service.name"
	serviceVersion = "service.version"
)

// The names of attributes of our own.
const (
	weirID       = "weir.request.id"
	weirTenant   = "weir.tenant"
	weirClass    = "weir.class"
	weirOutcome  = "weir.outcome"
	weirWait     = "weir.wait" // seconds
	weirAttempts = "weir.attempts"
	weirHedges   = "weir.hedges"
	weirDegraded = "weir.degraded"
	weirEstimate = "weir.estimate.input_tokens"
	weirKey      = "weir.key" // the name of the key that paid
	weirKind     = "weir.kind"
	weirBoundBy  = "weir.wait.bound_by"
	weirAhead    = "weir.wait.ahead"
)

// Values.
const (
	chat        = "chat"
	countTokens = "count_tokens" // not of the conventions, which have no word for it
	anthropic   = "anthropic"
)
