using System.Buffers;

namespace Vfio.Core.Tests.Migration;

/// <summary>A pool that counts what is out.</summary>
internal sealed class CountingPool : MemoryPool<byte>
{
    private long _out;

    public long Outstanding => Interlocked.Read(ref _out);

    public override int MaxBufferSize => Shared.MaxBufferSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        Interlocked.Increment(ref _out);
        return new Owner(this, Shared.Rent(minBufferSize));
    }

    protected override void Dispose(bool disposing)
    {
    }

    private sealed class Owner(CountingPool pool, IMemoryOwner<byte> inner) : IMemoryOwner<byte>
    {
        private int _returned;

        public Memory<byte> Memory => inner.Memory;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _returned, 1) != 0)
                return;
            inner.Dispose();
            Interlocked.Decrement(ref pool._out);
        }
    }
}
