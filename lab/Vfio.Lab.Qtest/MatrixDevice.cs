using System.Buffers.Binary;
using System.Threading.Channels;
using Vfio.Native;
using Vfio.Simulation.Pci;

namespace Vfio.Lab.Qtest;

/// <summary>
/// A device that does nothing but show what reaches it: scratch registers, a register that keeps its writer waiting, one that raises a
/// vector, a copy engine between guest memory and its own, and a memory BAR of which two pages may be mapped.
/// </summary>
internal sealed class MatrixDevice : IFunctionDevice, IDisposable
{
    /// <summary>Registers of BAR 0.</summary>
    internal const ulong ScratchSize = 0x100;
    internal const ulong DmaAddress = 0x100, DmaLength = 0x108, DmaCommand = 0x10C, DmaStatus = 0x110, RaiseVector = 0x118, Hold = 0x120;
    internal const int RegisterBar = 0, MemoryBar = 2, Vectors = 8, BufferSize = 1 << 20;
    internal const ulong RegisterBarSize = 0x4000, MemoryBarSize = 1 << 20, FirstPage = 0, SecondPage = 0x4000, PageSize = 0x1000;

    /// <summary>What the copy engine is told to do, and what it says.</summary>
    internal const uint FromGuest = 1, ToGuest = 2, Idle = 0, Done = 1, Failed = 0x80000000;

    private readonly Channel<(uint Command, TaskCompletionSource? Rested)> _work = Channel.CreateUnbounded<(uint, TaskCompletionSource?)>();
    private readonly byte[] _scratch = new byte[ScratchSize];
    private readonly RegionMapping _memory;
    private readonly unsafe byte* _pages;
    private readonly bool _mapped;
    private readonly Task _engine;
    private ulong _address;
    private uint _length;
    private volatile uint _status;

    /// <param name="mapped">Whether the two pages of BAR 2 may be mapped.</param>
    internal unsafe MatrixDevice(bool mapped)
    {
        _mapped = mapped;
        var file = Libc.memfd_create("matrix", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        if (file.IsInvalid || Libc.ftruncate(file, (long)MemoryBarSize) != 0)
            throw VfioException.FromLibc("memfd");
        _pages = (byte*)Libc.mmap(null, (nuint)MemoryBarSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, file, 0);
        if (_pages == Libc.MAP_FAILED)
            throw VfioException.FromLibc("mmap");
        _memory = new() { File = file, Areas = [new(FirstPage, PageSize), new(SecondPage, PageSize)], Address = (nint)_pages };
        _engine = Task.Run(RunAsync);
    }

    /// <summary>The function's way to memory.</summary>
    internal FunctionDma Dma { get; } = new();

    /// <summary>The function's interrupts, once it has them.</summary>
    internal FunctionInterrupts? Interrupts { get; set; }

    /// <summary>What the copy engine holds.</summary>
    internal byte[] Buffer { get; } = new byte[BufferSize];

    /// <summary>The offset and width of the last access to a scratch register.</summary>
    internal (ulong Offset, int Width) LastAccess { get; private set; }

    /// <summary>How many accesses to BAR 2 were not made through the mapping.</summary>
    internal int TrappedMemoryAccesses { get; private set; }

    /// <summary>Somebody writes to <see cref="Hold"/>, and waits there until the test lets go.</summary>
    internal SemaphoreSlim Held { get; } = new(0);

    /// <summary>Lets a writer of <see cref="Hold"/> go.</summary>
    internal SemaphoreSlim LetGo { get; } = new(0);

    internal int Resets { get; private set; }

    /// <summary>A byte of BAR 2, as the device sees it.</summary>
    internal unsafe ref byte Page(ulong offset) => ref _pages[offset];

    public RegionMapping? Mapping(int bar) => _mapped && bar == MemoryBar ? _memory : null;

    public void Wake()
    {
    }

    public unsafe ulong ReadRegister(int bar, ulong offset, int width)
    {
        if (bar == MemoryBar)
        {
            TrappedMemoryAccesses++;
            return Load(new(_pages + offset, width));
        }

        if (offset < ScratchSize)
        {
            LastAccess = (offset, width);
            return Load(_scratch.AsSpan((int)offset, width));
        }

        return offset == DmaStatus ? _status : 0;
    }

    public unsafe void WriteRegister(int bar, ulong offset, int width, ulong value)
    {
        if (bar == MemoryBar)
        {
            TrappedMemoryAccesses++;
            Store(new(_pages + offset, width), value);
            return;
        }

        switch (offset)
        {
            case < ScratchSize:
                LastAccess = (offset, width);
                Store(_scratch.AsSpan((int)offset, width), value);
                break;
            case DmaAddress:
                _address = value;
                break;
            case DmaLength:
                _length = (uint)Math.Min(value, BufferSize);
                break;
            case DmaCommand:
                _status = Idle;
                _work.Writer.TryWrite(((uint)value, null));
                break;
            case RaiseVector:
                Interrupts!.Signal((int)value);
                break;
            case Hold:
                Held.Release();
                LetGo.Wait();
                break;
        }
    }

    public Task RestAsync()
    {
        var rest = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_work.Writer.TryWrite((0, rest)))
            rest.SetResult();
        return rest.Task;
    }

    public async Task ResetAsync()
    {
        await RestAsync().ConfigureAwait(false);
        Array.Clear(_scratch);
        _status = Idle;
        Resets++;
    }

    public unsafe void Dispose()
    {
        _work.Writer.Complete();
        _engine.GetAwaiter().GetResult();
        _ = Libc.munmap(_pages, (nuint)MemoryBarSize);
        _memory.File.Dispose();
        Held.Dispose();
        LetGo.Dispose();
    }

    private async Task RunAsync()
    {
        await foreach (var (command, rested) in _work.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            if (rested is null)
            {
                var bytes = Buffer.AsSpan(0, (int)_length);
                var result = command == FromGuest ? Dma.Read(_address, bytes) : Dma.Write(_address, bytes);
                _status = result.IsSuccess ? Done : Failed | (uint)result.Error;
            }

            rested?.SetResult();
        }
    }

    private static ulong Load(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        1 => bytes[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
    };

    private static void Store(Span<byte> bytes, ulong value)
    {
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(value >> (8 * i));
    }
}
