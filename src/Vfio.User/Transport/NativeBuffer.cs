using System.Buffers;
using System.Runtime.InteropServices;

namespace Vfio.User.Transport;

/// <summary>Memory that the kernel is given pointers into: it does not move, and grows when asked. Not thread-safe.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private Manager? _manager;

    public NativeBuffer(int capacity)
    {
        Capacity = capacity;
        Address = (byte*)NativeMemory.AllocZeroed((nuint)capacity);
    }

    // A session whose set-up fails half way has nobody to dispose what it has made by then.
    ~NativeBuffer() => NativeMemory.Free(Address);

    public byte* Address { get; private set; }

    public int Capacity { get; private set; }

    /// <summary>
    /// Makes room, zeroed (a device that fills less than it says must not show a client the process's memory); what was inside is kept.
    /// </summary>
    public void EnsureCapacity(int capacity)
    {
        if (capacity <= Capacity)
            return;
        Address = (byte*)NativeMemory.Realloc(Address, (nuint)capacity);
        Span(Capacity, capacity - Capacity).Clear();
        Capacity = capacity;
    }

    public Span<byte> Span(int offset, int length) => new(Address + offset, length);

    /// <summary>
    /// The same, for what is filled or looked at asynchronously. Nobody may use it any more when the buffer grows or is given back.
    /// </summary>
    public Memory<byte> Memory(int offset, int length) => (_manager ??= new Manager(this)).Memory.Slice(offset, length);

    public void Dispose()
    {
        NativeMemory.Free(Address);
        Address = null;
        Capacity = 0;
        GC.SuppressFinalize(this);
    }

    private sealed class Manager(NativeBuffer buffer) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => buffer.Span(0, buffer.Capacity);

        public override MemoryHandle Pin(int elementIndex = 0) => new(buffer.Address + elementIndex);

        public override void Unpin()
        {
        }

        // The buffer owns the memory.
        protected override void Dispose(bool disposing)
        {
        }
    }
}
