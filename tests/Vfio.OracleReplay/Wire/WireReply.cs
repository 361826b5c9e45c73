namespace Vfio.OracleReplay.Wire;

/// <summary>What a server answered.</summary>
/// <param name="Error">The errno; none for success.</param>
/// <param name="Payload">What follows the header; empty after a failure.</param>
internal sealed record WireReply(Errno Error, byte[] Payload)
{
    /// <summary>A word of the payload; 0 where there is none.</summary>
    public uint Word(int index) => (index + 1) * sizeof(uint) <= Payload.Length ? BitConverter.ToUInt32(Payload, index * sizeof(uint)) : 0;

    /// <summary>Two words of the payload, as one number.</summary>
    public ulong Long(int index) => Word(index) | ((ulong)Word(index + 1) << 32);
}
