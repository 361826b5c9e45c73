using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Tool.Demo.Nvme;

/// <summary>
/// What a guest's NVMe driver does at the least, through a VFIO device: enables the controller, makes one queue pair, reads and writes.
/// </summary>
internal sealed class Controller : IDisposable
{
    private const int PageSize = 4096;
    private const int AdminVector = 0, QueueVector = 1, Vectors = 2;
    private readonly VfioDevice _device;
    private readonly LocalMemory _memory;
    private SafeFileHandle[] _interrupts = [];
    private QueuePair? _admin;
    private QueuePair? _queue;

    /// <param name="device">The device: open, its bus mastering on.</param>
    /// <param name="memory">At least six pages of guest memory: four for queues, then the data.</param>
    public Controller(VfioDevice device, LocalMemory memory)
    {
        _device = device;
        _memory = memory;
    }

    public uint NamespaceId { get; private set; }

    public int BlockSize { get; private set; }

    public ulong Blocks { get; private set; }

    /// <summary>The page that commands read and write.</summary>
    public Span<byte> Data => _memory.Span.Slice(4 * PageSize, PageSize);

    public ulong Read64(ulong register)
    {
        Span<byte> value = stackalloc byte[sizeof(ulong)];
        Check(_device.Read(RegionIndex.Bar0, register, value), register);
        return BinaryPrimitives.ReadUInt64LittleEndian(value);
    }

    public uint Read32(ulong register)
    {
        Span<byte> value = stackalloc byte[sizeof(uint)];
        Check(_device.Read(RegionIndex.Bar0, register, value), register);
        return BinaryPrimitives.ReadUInt32LittleEndian(value);
    }

    public void Write32(ulong register, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Check(_device.Write(RegionIndex.Bar0, register, bytes), register);
    }

    /// <summary>Enables the controller.</summary>
    /// <returns>How long it took to become ready.</returns>
    public TimeSpan Enable()
    {
        _memory.Span.Clear();
        ConnectInterrupts();
        var capabilities = Read64(Registers.Capabilities);
        Write32(Registers.AdminQueueAttributes, (QueuePair.Entries - 1) | ((QueuePair.Entries - 1) << 16));
        Write64(Registers.AdminSubmissionQueue, Page(0));
        Write64(Registers.AdminCompletionQueue, Page(1));
        Write32(Registers.Configuration, Registers.EnabledConfiguration);
        var started = TimeProvider.System.GetTimestamp();

        // The specification has no event for this: software polls CSTS.RDY for as long as CAP.TO says.
        if (!SpinWait.SpinUntil(() => (Read32(Registers.Status) & Registers.Ready) != 0, Registers.Timeout(capabilities)))
            throw new VfioException(Errno.ETIMEDOUT, "the controller did not become ready in the time that CAP.TO gives");
        var took = TimeProvider.System.GetElapsedTime(started);
        _admin = new(_device, capabilities, 0, _memory, Page(0), Page(1), _interrupts[AdminVector]);
        _queue = new(_device, capabilities, 1, _memory, Page(2), Page(3), _interrupts[QueueVector]);
        return took;
    }

    /// <summary>Identify Controller: serial number, model and firmware.</summary>
    public (string Serial, string Model, string Firmware) Identify()
    {
        _admin!.Execute(Command.Identify(1, 0, Page(4)));
        return (Text(Data.Slice(4, 20)), Text(Data.Slice(24, 40)), Text(Data.Slice(64, 8)));
    }

    /// <summary>Finds the first active namespace, and makes the queue pair that reaches it.</summary>
    public void Attach()
    {
        _admin!.Execute(Command.Identify(2, 0, Page(4)));
        NamespaceId = BinaryPrimitives.ReadUInt32LittleEndian(Data);
        if (NamespaceId == 0)
            throw new VfioException(Errno.ENODEV, "the controller has no active namespace");
        _admin.Execute(Command.Identify(0, NamespaceId, Page(4)));
        Blocks = BinaryPrimitives.ReadUInt64LittleEndian(Data);
        var format = BinaryPrimitives.ReadUInt32LittleEndian(Data[(128 + (4 * (Data[26] & 0xF)))..]);
        BlockSize = 1 << (int)((format >> 16) & 0xFF);
        _admin.Execute(Command.CreateCompletionQueue(1, QueuePair.Entries, Page(3), QueueVector));
        _admin.Execute(Command.CreateSubmissionQueue(1, QueuePair.Entries, Page(2)));
    }

    /// <summary>Writes the data page to a block address.</summary>
    public void WriteBlocks(ulong lba) => _queue!.Execute(Command.Write(NamespaceId, lba, PageSize / BlockSize, Page(4)));

    /// <summary>Reads a block address into the data page.</summary>
    public void ReadBlocks(ulong lba) => _queue!.Execute(Command.Read(NamespaceId, lba, PageSize / BlockSize, Page(4)));

    public void Dispose()
    {
        foreach (var interrupt in _interrupts)
            interrupt.Dispose();
    }

    private void ConnectInterrupts()
    {
        foreach (var former in _interrupts)
            former.Dispose();
        _interrupts = [EventFd.Create(), EventFd.Create()];

        // The device owns what it is given, so it is given duplicates.
        var result = _device.SetIrqs(new()
        {
            Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger,
            Index = (uint)IrqIndex.Msix,
            Count = Vectors,
            EventFds = _interrupts.Select(Duplicate).ToArray(),
        });
        if (!result.IsSuccess || result.Value != 0)
            throw new VfioException(result.IsSuccess ? Errno.ENOSPC : result.Error, $"{Vectors} MSI-X vectors cannot be had ({result})");
    }

    private static SafeFileHandle? Duplicate(SafeFileHandle fd)
    {
        var copy = Libc.fcntl(fd, Libc.F_DUPFD_CLOEXEC, 0);
        return copy >= 0 ? new(copy, ownsHandle: true) : throw VfioException.FromLibc("dup of an eventfd");
    }

    private void Write64(ulong register, ulong value)
    {
        Write32(register, (uint)value);
        Write32(register + sizeof(uint), (uint)(value >> 32));
    }

    private ulong Page(int index) => _memory.Iova + (ulong)(index * PageSize);

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.ASCII.GetString(bytes).TrimEnd(' ', '\0');

    private static void Check(VfioResult<int> result, ulong register)
    {
        if (!result.IsSuccess)
            throw new VfioException(result.Error, $"register {register:x2}h: {result.Error}");
    }
}
