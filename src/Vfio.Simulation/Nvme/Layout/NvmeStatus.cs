namespace Vfio.Simulation.Nvme.Layout;

/// <summary>
/// The status field of a completion: code in bits 7:0, code type in 10:8, do not retry in 14. Source: NVM Express Base Specification 1.4,
/// 4.6.1.
/// </summary>
/// <param name="Value">The field, without the phase.</param>
internal readonly record struct NvmeStatus(ushort Value)
{
    private const ushort DoNotRetryBit = 1 << 14;

    internal static readonly NvmeStatus Success;
    internal static readonly NvmeStatus InvalidOpcode = Generic(0x01);
    internal static readonly NvmeStatus InvalidField = Generic(0x02);
    internal static readonly NvmeStatus DataTransferError = new(0x04);
    internal static readonly NvmeStatus InternalError = new(0x06);
    internal static readonly NvmeStatus AbortRequested = new(0x07);
    internal static readonly NvmeStatus InvalidNamespace = Generic(0x0B);
    internal static readonly NvmeStatus CommandSequenceError = Generic(0x0C);
    internal static readonly NvmeStatus InvalidPrpOffset = Generic(0x13);
    internal static readonly NvmeStatus LbaOutOfRange = Generic(0x80);
    internal static readonly NvmeStatus CapacityExceeded = Generic(0x81);

    internal static readonly NvmeStatus CompletionQueueInvalid = Specific(0x00);
    internal static readonly NvmeStatus InvalidQueueIdentifier = Specific(0x01);
    internal static readonly NvmeStatus InvalidQueueSize = Specific(0x02);
    internal static readonly NvmeStatus AsyncEventLimitExceeded = Specific(0x05);
    internal static readonly NvmeStatus InvalidInterruptVector = Specific(0x08);
    internal static readonly NvmeStatus InvalidLogPage = Specific(0x09);
    internal static readonly NvmeStatus InvalidFormat = Specific(0x0A);
    internal static readonly NvmeStatus InvalidQueueDeletion = Specific(0x0C);
    internal static readonly NvmeStatus FeatureNotSaveable = Specific(0x0D);
    internal static readonly NvmeStatus FeatureNotChangeable = Specific(0x0E);
    internal static readonly NvmeStatus FeatureNotNamespaceSpecific = Specific(0x0F);
    internal static readonly NvmeStatus InvalidControllerIdentifier = Specific(0x1F);
    internal static readonly NvmeStatus InvalidSecondaryControllerState = Specific(0x20);
    internal static readonly NvmeStatus InvalidControllerResources = Specific(0x21);
    internal static readonly NvmeStatus InvalidResourceIdentifier = Specific(0x22);

    internal static readonly NvmeStatus WriteFault = new(0x280);
    internal static readonly NvmeStatus UnrecoveredReadError = new(0x281);
    internal static readonly NvmeStatus CompareFailure = new(0x285 | DoNotRetryBit);

    internal bool IsSuccess => Value == 0;

    internal byte Code => (byte)Value;

    internal byte CodeType => (byte)((Value >> 8) & 7);

    internal bool DoNotRetry => (Value & DoNotRetryBit) != 0;

    private static NvmeStatus Generic(byte code) => new((ushort)(code | DoNotRetryBit));

    private static NvmeStatus Specific(byte code) => new((ushort)(0x100 | code | DoNotRetryBit));
}

/// <summary>How a command ended, or how it will.</summary>
/// <param name="Status">The status field.</param>
/// <param name="Dword0">The first dword of the completion.</param>
internal readonly record struct CommandResult(NvmeStatus Status, uint Dword0 = 0)
{
    /// <summary>The command stays outstanding until something else completes it.</summary>
    internal static readonly CommandResult Outstanding = new() { IsOutstanding = true };

    internal bool IsOutstanding { get; private init; }

    /// <summary>The command ends when this does: it waits for another controller.</summary>
    internal Task<CommandResult>? Later { get; init; }

    public static implicit operator CommandResult(NvmeStatus status) => new(status);
}
