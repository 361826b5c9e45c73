namespace Vfio.Core.Tests.Model;

/// <summary>A descriptor of a request.</summary>
internal enum Descriptor
{
    /// <summary>-1.</summary>
    None,

    /// <summary>One that is closed.</summary>
    Closed,

    /// <summary>One that is no eventfd.</summary>
    Other,

    /// <summary>A second descriptor of the test's first eventfd; those of the others follow.</summary>
    First,
}

/// <summary>What happens to a device's interrupts.</summary>
internal abstract record IrqStep;

/// <summary>SET_IRQS. <paramref name="SameHandle"/>: equal descriptors are one descriptor, not several of one eventfd.</summary>
internal sealed record SetStep(uint Index, uint Flags, uint Start, uint Count, Descriptor[] Descriptors, byte[] Bools, bool SameHandle)
    : IrqStep
{
    public override string ToString()
        => $"{(IrqIndex)Index} {(IrqSetFlags)Flags} {Start}+{Count} [{string.Join(' ', Descriptors)}] {Convert.ToHexString(Bools)}"
            + (SameHandle ? ", equal ones being one" : "");
}

/// <summary>The function fires a vector.</summary>
internal sealed record FireStep(int Vector) : IrqStep;

/// <summary>The function asserts or releases its INTx line.</summary>
internal sealed record LineStep(bool Asserted) : IrqStep;

/// <summary>The guest writes Interrupt Disable.</summary>
internal sealed record DisableStep(bool Disabled) : IrqStep;

/// <summary>The client signals its unmask eventfd, waits for what comes of it, and takes it away.</summary>
internal sealed record SignalUnmaskStep : IrqStep;

/// <summary>The host can give this many vectors from now on.</summary>
internal sealed record ObtainableStep(int Vectors) : IrqStep;

internal sealed record ReleaseStep : IrqStep;

internal sealed record ResetStep : IrqStep;

/// <summary>The client goes, and another comes.</summary>
internal sealed record ReopenStep : IrqStep;
