namespace Vfio.Simulation;

/// <summary>
/// Errors that a simulated function can be made to detect, at their places in the Uncorrectable Error Status register. Source: PCI Express
/// Base Specification, 7.8.4.2.
/// </summary>
public enum UncorrectableError
{
    /// <summary>Data Link Protocol Error; fatal by default.</summary>
    DataLinkProtocol = 4,

    /// <summary>Poisoned TLP Received.</summary>
    PoisonedTlp = 12,

    /// <summary>Flow Control Protocol Error; fatal by default.</summary>
    FlowControlProtocol = 13,

    /// <summary>Completion Timeout.</summary>
    CompletionTimeout = 14,

    /// <summary>Completer Abort.</summary>
    CompleterAbort = 15,

    /// <summary>Unexpected Completion.</summary>
    UnexpectedCompletion = 16,

    /// <summary>Receiver Overflow; fatal by default.</summary>
    ReceiverOverflow = 17,

    /// <summary>Malformed TLP; fatal by default.</summary>
    MalformedTlp = 18,

    /// <summary>ECRC Error.</summary>
    Ecrc = 19,

    /// <summary>Unsupported Request.</summary>
    UnsupportedRequest = 20,
}
