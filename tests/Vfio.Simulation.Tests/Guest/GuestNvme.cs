using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Tests.Guest;

/// <summary>A guest's NVMe driver, as small as it can be: it knows the function through <see cref="IPciFunction"/> alone.</summary>
internal sealed unsafe class GuestNvme : IDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly List<SafeFileHandle> _eventFds = [];
    private ushort _nextCommand;

    public GuestNvme(IPciFunction function, GuestMemory? memory = null)
    {
        Function = function;
        Memory = memory ?? new();
        Function.ConnectDma(Memory.Space);
        SetUp();
    }

    public IPciFunction Function { get; }

    public GuestMemory Memory { get; }

    public IPciBar Bar => Function.Bar(0)!;

    public GuestQueue Admin { get; private set; } = null!;

    public uint Csts => (uint)Bar.Read(Register.Csts, 4);

    /// <summary>Bus mastering, memory and the first vectors: what a kernel does before it probes.</summary>
    public void SetUp()
    {
        Function.WriteConfig(ConfigOffset.Command, 2, ConfigOffset.CommandMemory | ConfigOffset.CommandBusMaster);
        Function.Interrupts.Disable(IrqIndex.Msix);
        var vectors = Function.Interrupts.Count(IrqIndex.Msix);
        Assert.Equal(vectors, Function.Interrupts.Enable(IrqIndex.Msix, vectors).Value);
        foreach (var fd in _eventFds)
            fd.Dispose();
        _eventFds.Clear();
        for (var i = 0; i < vectors; i++)
        {
            _eventFds.Add(Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK));
            Assert.True(Function.Interrupts.SetTrigger(IrqIndex.Msix, i, _eventFds[i]).IsSuccess);
        }
    }

    /// <summary>Disables the controller, gives it an admin queue and enables it.</summary>
    public GuestNvme Enable(int entries = 32)
    {
        Disable();
        Admin = new(this, 0, entries, vector: 0);
        Bar.Write(Register.Aqa, 4, (uint)((entries - 1) | ((entries - 1) << 16)));
        Bar.Write(Register.Asq, 8, Admin.SubmissionBase);
        Bar.Write(Register.Acq, 8, Admin.CompletionBase);
        Bar.Write(Register.Cc, 4, 0x460000);
        Bar.Write(Register.Cc, 4, 0x460001);
        Until(() => (Csts & (Register.CstsReady | Register.CstsFatal)) != 0, "CSTS.RDY");
        Assert.Equal(Register.CstsReady, Csts & (Register.CstsReady | Register.CstsFatal));
        return this;
    }

    public void Disable()
    {
        Bar.Write(Register.Cc, 4, 0);
        Until(() => (Csts & Register.CstsReady) == 0, "CSTS.RDY to fall");
    }

    public SubmissionEntry Command(Enum opcode, uint nsid = 0, uint cdw10 = 0, uint cdw11 = 0, uint cdw12 = 0)
        => new()
        {
            Opcode = Convert.ToByte(opcode, null),
            CommandId = ++_nextCommand,
            NamespaceId = nsid,
            Cdw10 = cdw10,
            Cdw11 = cdw11,
            Cdw12 = cdw12,
        };

    /// <summary>Issues an admin command with a data buffer and waits for its end.</summary>
    public Completion Run(SubmissionEntry entry, int bytes, out ulong data)
    {
        data = Memory.Allocate(bytes);
        Memory.Describe(ref entry, data, bytes);
        return Admin.Run(entry);
    }

    public Completion Run(SubmissionEntry entry) => Admin.Run(entry);

    public byte[] Identify(Cns cns, uint nsid = 0, ushort cntid = 0)
    {
        var completion = Run(Command(AdminOpcode.Identify, nsid, (uint)cns | ((uint)cntid << 16)), 4096, out var data);
        Assert.Equal(NvmeStatus.Success, completion.Status);
        return Memory.Span(data, 4096).ToArray();
    }

    public byte[] Log(LogPage page, int bytes)
    {
        var dwords = (uint)(bytes / 4) - 1;
        var completion = Run(Command(AdminOpcode.GetLogPage, uint.MaxValue, (uint)page | (dwords << 16)), bytes, out var data);
        Assert.Equal(NvmeStatus.Success, completion.Status);
        return Memory.Span(data, bytes).ToArray();
    }

    /// <summary>Creates an I/O queue pair.</summary>
    public GuestQueue CreateQueue(ushort id, int entries = 64, int vector = 1, GuestQueue? completion = null)
    {
        var queue = new GuestQueue(this, id, entries, vector, completion);
        if (completion is null)
        {
            var create = Command(AdminOpcode.CreateCompletionQueue, cdw10: id | ((uint)(entries - 1) << 16), cdw11: ((uint)vector << 16) | 3);
            create.Prp1 = queue.CompletionBase;
            Assert.Equal(NvmeStatus.Success, Run(create).Status);
        }

        var submission = Command(AdminOpcode.CreateSubmissionQueue, cdw10: id | ((uint)(entries - 1) << 16), cdw11: ((uint)queue.CompletionId << 16) | 1);
        submission.Prp1 = queue.SubmissionBase;
        Assert.Equal(NvmeStatus.Success, Run(submission).Status);
        return queue;
    }

    /// <summary>Waits until a vector has fired, and takes the count.</summary>
    public void WaitInterrupt(int vector)
    {
        var fd = new pollfd { fd = (int)_eventFds[vector].DangerousGetHandle(), events = Libc.POLLIN };
        Assert.True(Libc.poll(&fd, 1, (int)Deadline.TotalMilliseconds) == 1, $"vector {vector} did not fire");
        TakeInterrupts(vector);
    }

    public ulong TakeInterrupts(int vector)
    {
        ulong count = 0;
        return Libc.read(_eventFds[vector], &count, 8) == 8 ? count : 0;
    }

    public static void Until(Func<bool> condition, string what) => Assert.True(SpinWait.SpinUntil(condition, Deadline), $"waited in vain for {what}");

    public static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    public static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    public static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);

    public void Dispose()
    {
        Function.ConnectDma(null);
        Function.Interrupts.Disable(IrqIndex.Msix);
        foreach (var fd in _eventFds)
            fd.Dispose();
    }
}

/// <summary>How a command ended.</summary>
internal readonly record struct Completion(ushort CommandId, NvmeStatus Status, uint Dword0, ushort SubmissionId, ushort SubmissionHead);
