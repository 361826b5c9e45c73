namespace Vfio.WireVectors.Model;

/// <summary>One exchange with a server of a set-up, and what must come of it.</summary>
/// <param name="Name">Its own name, in no other vector.</param>
/// <param name="Test">The test of libvfio-user that it stands for: module and function.</param>
/// <param name="Setup">The device that must be served.</param>
/// <param name="Client">The JSON of the VERSION request that comes first; null: none does, the steps negotiate themselves.</param>
/// <param name="Files">What the steps name: eventfds, memory.</param>
/// <param name="Steps">What is done, in order.</param>
/// <param name="Differs">Why an answer of record is not libvfio-user's: the key of docs/differences.md. Null where none differs.</param>
/// <param name="Origin">File, for people.</param>
internal sealed record Vector(string Name, string Test, string Setup, string? Client, IReadOnlyDictionary<string, FileSpec> Files,
    IReadOnlyList<Step> Steps, string? Differs, string Origin);

/// <summary>A descriptor that the client has: an eventfd with its counter, or memory.</summary>
internal sealed record FileSpec(FileKind Kind, ulong Value);

internal enum FileKind
{
    EventFd,

    /// <summary>Memory that cannot be shortened, as QEMU's cannot.</summary>
    Memory,

    /// <summary>Memory that can.</summary>
    Unsealed,
}

/// <summary>A part of a vector that is done, or looked at.</summary>
/// <param name="What">For people.</param>
internal abstract record Step(string What);

/// <summary>Sends a request, serves what the server asks meanwhile, and compares the reply: at once, or in a later step.</summary>
internal sealed record RequestStep(string What, ushort Command, HeaderSpec Header, Payload Body, IReadOnlyList<string> Descriptors,
    bool NoReply, string? Later, ReplySpec Reply, IReadOnlyDictionary<string, ReplySpec> Recorded, DmaSpec? Dma) : Step(What);

/// <summary>What a header holds that is not what the message itself says.</summary>
internal sealed record HeaderSpec(uint? Size, uint? Flags);

/// <summary>What must come back.</summary>
/// <param name="Error">The errno; 0 for success.</param>
/// <param name="Body">The payload; null: not compared.</param>
/// <param name="Descriptors">How many come along; null: not compared.</param>
/// <param name="Save">The name under which later steps find them: NAME[0] and so on.</param>
/// <param name="IsClosed">Nothing comes back, and the connection is closed.</param>
internal sealed record ReplySpec(int Error, Payload? Body, int? Descriptors, string? Save, bool IsClosed = false);

/// <summary>The memory that the client reaches for the server, and the commands that must come for it, in order, before the reply.</summary>
internal sealed record DmaSpec(string Memory, ulong At, int Error, IReadOnlyList<DmaCommand> Commands);

/// <summary>A DMA_READ or DMA_WRITE.</summary>
internal sealed record DmaCommand(bool IsWrite, ulong Address, ulong Count)
{
    public override string ToString() => $"{(IsWrite ? "DMA_WRITE" : "DMA_READ")} of {Count} bytes at 0x{Address:x}";
}

/// <summary>Takes an eventfd's counter and compares it.</summary>
internal sealed record CounterStep(string What, string File, ulong Expected) : Step(What);

/// <summary>Adds to an eventfd's counter.</summary>
internal sealed record SignalStep(string What, string File, ulong By) : Step(What);

/// <summary>Compares memory of the client.</summary>
internal sealed record MemoryStep(string What, string File, ulong At, Payload Expected) : Step(What);

/// <summary>Whether two descriptors are of one file.</summary>
internal sealed record SameFileStep(string What, string First, string Second, bool Expected) : Step(What);

/// <summary>The server must close the connection, and send nothing more.</summary>
internal sealed record ClosedStep(string What) : Step(What);

/// <summary>Waits for the reply to a request that was to be answered later, which must not have come before.</summary>
internal sealed record ReplyStep(string What, string Request) : Step(What);

/// <summary>The server must send nothing for a while.</summary>
internal sealed record QuietStep(string What, int Milliseconds) : Step(What);
