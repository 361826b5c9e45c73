namespace Vfio.Core.Config;

/// <summary>What a client may do with one register of a block.</summary>
/// <param name="Offset">From the start of the block.</param>
/// <param name="Width">1, 2 or 4 bytes.</param>
/// <param name="Virtual">Bits that come from, and go to, the virtual configuration space; the others are the hardware's.</param>
/// <param name="Writable">Bits that a client may write.</param>
internal readonly record struct RegisterRule(int Offset, int Width, uint Virtual, uint Writable)
{
    public const uint All = 0xFFFFFFFF;
}
