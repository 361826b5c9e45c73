using System.Reflection;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Native.Tests;

/// <summary>
/// An access that were wider than asked would touch the page behind the mapping, which kills the process; so these run at its very end.
/// </summary>
public sealed unsafe class MmioTests : IDisposable
{
    private const int Page = 4096;
    private readonly byte* _memory;

    public MmioTests()
    {
        using var none = new SafeFileHandle(-1, ownsHandle: false);
        _memory = (byte*)Libc.mmap(null, 3 * Page, Libc.PROT_NONE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, none, 0);
        Assert.True(_memory != Libc.MAP_FAILED);
        var middle = Libc.mmap(
            _memory + Page, Page, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_FIXED, none, 0);
        Assert.True(middle == _memory + Page);
    }

    private byte* First => _memory + Page;

    private byte* End => _memory + (2 * Page);

    public void Dispose() => Libc.munmap(_memory, 3 * Page);

    [Fact]
    public void Each_width_reaches_the_first_and_the_last_register_of_a_mapping()
    {
        for (var round = 0; round < 2; round++)
        {
            foreach (var at8 in new[] { (nint)First, (nint)(End - 1) })
            {
                Mmio.Write8((void*)at8, 0xA5);
                Assert.Equal(0xA5, Mmio.Read8((void*)at8));
            }

            foreach (var at16 in new[] { (nint)First, (nint)(End - 2) })
            {
                Mmio.Write16((void*)at16, 0xA55A);
                Assert.Equal(0xA55A, Mmio.Read16((void*)at16));
            }

            foreach (var at32 in new[] { (nint)First, (nint)(End - 4) })
            {
                Mmio.Write32((void*)at32, 0xA55A0FF0);
                Assert.Equal(0xA55A0FF0, Mmio.Read32((void*)at32));
            }

            foreach (var at64 in new[] { (nint)First, (nint)(End - 8) })
            {
                Mmio.Write64((void*)at64, 0xA55A0FF0_12345678);
                Assert.Equal(0xA55A0FF0_12345678, Mmio.Read64((void*)at64));
            }
        }
    }

    [Fact]
    public void A_write_changes_its_own_bytes_and_no_others()
    {
        var bytes = new Span<byte>(First, 32);
        foreach (var width in new[] { 1, 2, 4, 8 })
        {
            bytes.Fill(0xEE);
            var at = First + 16;
            switch (width)
            {
                case 1:
                    Mmio.Write8(at, 0);
                    break;
                case 2:
                    Mmio.Write16(at, 0);
                    break;
                case 4:
                    Mmio.Write32(at, 0);
                    break;
                default:
                    Mmio.Write64(at, 0);
                    break;
            }

            Assert.Equal(width, bytes.Count((byte)0));
            Assert.True(bytes.Slice(16, width).IndexOfAnyExcept((byte)0) < 0);
        }
    }

    [Fact]
    public void Accesses_of_eight_bytes_are_never_torn()
    {
        const ulong Pattern = 0x0101010101010101;
        const int Rounds = 2_000_000;
        var register = (nint)First;
        var writer = new Thread(() =>
        {
            for (var i = 0; i < Rounds; i++)
                Mmio.Write64((void*)register, Pattern * (byte)i);
        });
        writer.Start();
        var torn = 0;
        while (writer.IsAlive)
        {
            var seen = Mmio.Read64((void*)register);
            if (seen != Pattern * (byte)seen)
                torn++;
        }

        writer.Join();
        Assert.Equal(0, torn);
    }

    [Fact]
    public void No_accessor_may_be_inlined_because_the_JIT_would_merge_or_drop_it()
    {
        var accessors = typeof(Mmio).GetMethods(BindingFlags.Public | BindingFlags.Static);
        Assert.Equal(8, accessors.Length);
        Assert.All(accessors, a => Assert.True(a.MethodImplementationFlags.HasFlag(MethodImplAttributes.NoInlining)));
    }
}
