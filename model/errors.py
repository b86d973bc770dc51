"""Every error that the model side raises, in one tree. Words for people are not made here: see `bot.errors`.

CatError
├── NotCatSpeak            text that is outside the grammar
├── CheckpointError        a checkpoint cannot be served; the message says what to do
│   ├── CheckpointNotFound     no such folder, or a file is missing
│   ├── CheckpointCorrupt      hash differs, file truncated, NaN weights
│   ├── CheckpointUnsupported  unknown format, not a causal LM, pickle weights, remote code
│   ├── CheckpointUnavailable  the hub cannot be reached or refuses
│   └── ProbeFailed            it loads, but does not answer as it must
├── NotEnoughMemory        the device cannot hold what was asked; nothing was changed
└── ServiceError           a request was accepted or refused, but not answered
    ├── Busy                   the queue is full
    ├── DeadlineExceeded       the reply did not come in time
    ├── RequestInvalid         the request cannot be turned into tokens
    ├── SwapInProgress         another reload is running
    ├── ServiceClosed          the service is closing or closed
    └── WorkerFailed           the model raised; the cause is chained
"""


class CatError(Exception):
    """Root of the tree."""


class NotCatSpeak(CatError, ValueError):
    """The text is not in the language of the cat."""


class CheckpointError(CatError):
    """A checkpoint cannot be served."""


class CheckpointNotFound(CheckpointError):
    """There is no such folder, or one of its files is missing."""


class CheckpointCorrupt(CheckpointError):
    """A file is not what the manifest says, or cannot be read."""


class CheckpointUnsupported(CheckpointError):
    """The checkpoint is of a kind that is not served."""


class CheckpointUnavailable(CheckpointError):
    """The hub cannot be reached, or refuses."""


class ProbeFailed(CheckpointError):
    """The checkpoint loads but does not answer as it must."""


class NotEnoughMemory(CatError):
    """The device cannot hold what was asked for."""


class ServiceError(CatError):
    """A request that got no reply."""


class Busy(ServiceError):
    """The queue is full."""


class DeadlineExceeded(ServiceError):
    """The reply did not come in time."""


class RequestInvalid(ServiceError, ValueError):
    """The request cannot be turned into tokens."""


class SwapInProgress(ServiceError):
    """Another reload is running."""


class ServiceClosed(ServiceError):
    """The service is closing or closed."""


class WorkerFailed(ServiceError):
    """The model raised an exception; it is chained as the cause."""
