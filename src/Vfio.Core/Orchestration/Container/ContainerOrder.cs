using System.Buffers.Binary;

namespace Vfio.Core.Orchestration.Container;

/// <summary>
/// In which order the source's frames come: the table, data of the devices until each has ended, the end, and that the source has stopped.
/// </summary>
internal sealed class ContainerOrder
{
    private FrameKind? _last;
    private ulong[] _bytes = [];
    private bool[] _ended = [];

    /// <summary>The devices, once their table has come.</summary>
    public IReadOnlyList<TableEntry> Devices { get; private set; } = [];

    /// <summary>Checks the next frame; null for the end of the stream.</summary>
    public void Next(Frame? next)
    {
        if (next is not { } frame)
            throw new MigrationStepException(Errno.EPIPE, "the migration ends before all of it is there");
        switch (frame.Kind)
        {
            case FrameKind.Table when _last is null:
                Devices = DeviceTable.Read(frame.Payload.Span);
                _bytes = new ulong[Devices.Count];
                _ended = new bool[Devices.Count];
                break;
            case FrameKind.Data when IsOpen(frame):
                _bytes[frame.Device] += (ulong)frame.Payload.Length;
                break;
            case FrameKind.DeviceEnd when IsOpen(frame) && frame.Payload.Length == sizeof(ulong):
                if (BinaryPrimitives.ReadUInt64LittleEndian(frame.Payload.Span) != _bytes[frame.Device])
                    throw new MigrationStepException(Errno.EBADMSG, $"the data of {Devices[(int)frame.Device].Name} is not all there");
                _ended[frame.Device] = true;
                break;
            case FrameKind.End when _last is not (null or FrameKind.End) && _ended.All(ended => ended):
            case FrameKind.Stopped when _last == FrameKind.End:
                break;
            case FrameKind.GivenUp:
                throw new MigrationStepException(Errno.ECANCELED, "the source has given the migration up, and runs on");
            default:
                throw new MigrationStepException(Errno.EPROTO, $"the migration has a frame out of order: {frame.Kind}");
        }

        _last = frame.Kind;
    }

    private bool IsOpen(Frame frame)
        => _last is FrameKind.Table or FrameKind.Data or FrameKind.DeviceEnd && frame.Device < (uint)_ended.Length && !_ended[frame.Device];
}
