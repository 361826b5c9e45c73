using System.Buffers.Binary;
using System.Diagnostics;
using Vfio.Simulation.Nvme.Io;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>
/// Get Features and Set Features. Used by the controller's thread alone. Source: NVM Express Base Specification 1.4, 5.9 and 5.21.
/// </summary>
internal sealed class Features(NvmeController controller)
{
    private const uint NoNamespace = 0, Broadcast = uint.MaxValue;
    private const int TimestampBytes = 8;
    private readonly Dictionary<Key, uint> _values = [];
    private ulong _timestamp;
    private long _timestampAt = Stopwatch.GetTimestamp();
    private bool _timestampSet;
    private int? _submissionQueues;
    private int? _completionQueues;

    /// <summary>The I/O submission queues that the host may create.</summary>
    internal int SubmissionQueues => Math.Min(_submissionQueues ?? int.MaxValue, controller.QueuePairs);

    /// <summary>The I/O completion queues that the host may create.</summary>
    internal int CompletionQueues => Math.Min(_completionQueues ?? int.MaxValue, controller.QueuePairs);

    /// <summary>Whether the host wants to hear of changed namespaces.</summary>
    internal bool NotifiesNamespaces => (Value(NvmeFeature.AsyncEvents) & IdentifyController.OaesNamespaceAttribute) != 0;

    /// <summary>Whether the temperature is past a threshold: bit 1 of the critical warnings.</summary>
    internal bool IsTemperatureCritical
    {
        get
        {
            var over = Value(NvmeFeature.TemperatureThreshold);
            var under = _values.GetValueOrDefault(new(NvmeFeature.TemperatureThreshold, FeatureTable.ThresholdUnder), 0u);
            return HealthInformation.Temperature >= over || HealthInformation.Temperature <= under;
        }
    }

    internal CommandResult Set(in AdminCommand command)
    {
        const uint Save = 1u << 31;
        ref readonly var entry = ref command.Entry;
        if (FeatureTable.Find((NvmeFeature)(byte)entry.Cdw10) is not { } feature)
            return NvmeStatus.InvalidField;
        if ((entry.Cdw10 & Save) != 0)
            return NvmeStatus.FeatureNotSaveable;
        if (!feature.IsPerNamespace && entry.NamespaceId is not (NoNamespace or Broadcast))
            return NvmeStatus.FeatureNotNamespaceSpecific;
        if (feature.IsPerNamespace && entry.NamespaceId != Broadcast && controller.Namespaces.Find(entry.NamespaceId) is null)
            return NvmeStatus.InvalidNamespace;
        return feature.Id switch
        {
            NvmeFeature.NumberOfQueues => SetNumberOfQueues(entry.Cdw11),
            NvmeFeature.Timestamp => SetTimestamp(command),
            NvmeFeature.PowerManagement when (entry.Cdw11 & 0x1F) != 0 => NvmeStatus.InvalidField,
            NvmeFeature.InterruptVector when (entry.Cdw11 & feature.Selector) >= controller.Interrupts.TableSize => NvmeStatus.InvalidField,
            NvmeFeature.TemperatureThreshold => SetThreshold(feature, entry.Cdw11),
            _ => Store(feature, entry.Cdw11, entry.NamespaceId),
        };
    }

    internal CommandResult Get(in AdminCommand command)
    {
        const uint Current = 0, Default = 1, Saved = 2, Supported = 3;
        ref readonly var entry = ref command.Entry;
        if (FeatureTable.Find((NvmeFeature)(byte)entry.Cdw10) is not { } feature)
            return NvmeStatus.InvalidField;
        var select = (entry.Cdw10 >> 8) & 7;
        if (select == Supported)
            return new(NvmeStatus.Success, feature.Capabilities);
        if (select > Supported)
            return NvmeStatus.InvalidField;
        if (feature.Id == NvmeFeature.NumberOfQueues)
            return select == Current ? Queues(SubmissionQueues, CompletionQueues) : Queues(controller.QueuePairs, controller.QueuePairs);
        if (feature.Id == NvmeFeature.Timestamp)
            return GetTimestamp(command);
        if (feature.IsPerNamespace && controller.Namespaces.Find(entry.NamespaceId) is null)
            return NvmeStatus.InvalidNamespace;
        var selector = feature.IsPerNamespace ? entry.NamespaceId : entry.Cdw11 & feature.Selector;
        if (!IsSelectorValid(feature, selector, setting: false))
            return NvmeStatus.InvalidField;
        var value = select is Default or Saved ? DefaultOf(feature, selector) : Value(feature, selector);
        // The vector is part of what is returned.
        return new(NvmeStatus.Success, feature.Id == NvmeFeature.InterruptVector ? value | selector : value);
    }

    /// <summary>A controller level reset: defaults, since nothing is saveable.</summary>
    internal void Reset()
    {
        _values.Clear();
        _submissionQueues = null;
        _completionQueues = null;
        _timestamp = 0;
        _timestampSet = false;
        _timestampAt = Stopwatch.GetTimestamp();
        controller.Io.WriteThrough = false;
    }

    private uint Value(NvmeFeature id) => Value(FeatureTable.Find(id)!, 0);

    private uint Value(FeatureDescription feature, uint selector)
        => _values.GetValueOrDefault(new(feature.Id, selector), DefaultOf(feature, selector));

    // The lower temperature threshold is off until it is set.
    private static uint DefaultOf(FeatureDescription feature, uint selector)
        => feature.Id == NvmeFeature.TemperatureThreshold && (selector & FeatureTable.ThresholdUnder) != 0 ? 0 : feature.Default;

    private CommandResult Store(FeatureDescription feature, uint value, uint nsid)
    {
        if (feature.IsPerNamespace)
        {
            foreach (var target in controller.Namespaces.Attached)
            {
                if (target is not null && (nsid == Broadcast || nsid == target.Id))
                    _values[new(feature.Id, target.Id)] = value & feature.Writable;
            }

            return NvmeStatus.Success;
        }

        _values[new(feature.Id, value & feature.Selector)] = value & feature.Writable;
        if (feature.Id == NvmeFeature.VolatileWriteCache)
            controller.Io.WriteThrough = (value & 1) == 0;
        else if (feature.Id == NvmeFeature.AsyncEvents)
            CheckTemperature();
        return NvmeStatus.Success;
    }

    private CommandResult SetThreshold(FeatureDescription feature, uint value)
    {
        var selector = value & feature.Selector;
        if (!IsSelectorValid(feature, selector, setting: true))
            return NvmeStatus.InvalidField;
        var kind = selector & FeatureTable.ThresholdUnder;
        // All sensors at once are the composite one and the only one there is.
        if ((selector & FeatureTable.ThresholdSensors) == FeatureTable.ThresholdSensors)
            _values[new(feature.Id, kind)] = _values[new(feature.Id, kind | FirstSensor)] = value & feature.Writable;
        else
            _values[new(feature.Id, selector)] = value & feature.Writable;
        CheckTemperature();
        return NvmeStatus.Success;
    }

    private const uint FirstSensor = 1 << 16;

    private static bool IsSelectorValid(FeatureDescription feature, uint selector, bool setting)
    {
        if (feature.Id != NvmeFeature.TemperatureThreshold)
            return true;
        var sensor = selector & FeatureTable.ThresholdSensors;
        return (selector & ~(FeatureTable.ThresholdSensors | FeatureTable.ThresholdUnder)) == 0
            && (sensor is 0 or FirstSensor || (setting && sensor == FeatureTable.ThresholdSensors));
    }

    private void CheckTemperature()
    {
        if (IsTemperatureCritical && (Value(NvmeFeature.AsyncEvents) & HealthLog.WarningTemperature) != 0)
            controller.Events.Raise(AsyncEventType.Health, AsyncEventInfo.TemperatureThreshold, LogPage.Health);
    }

    private CommandResult SetNumberOfQueues(uint value)
    {
        const uint Reserved = 0xFFFF;
        if (controller.Queues.HasIoQueues)
            return NvmeStatus.CommandSequenceError;
        var submission = value & 0xFFFF;
        var completion = value >> 16;
        if (submission == Reserved || completion == Reserved)
            return NvmeStatus.InvalidField;
        _submissionQueues = (int)submission + 1;
        _completionQueues = (int)completion + 1;
        return Queues(SubmissionQueues, CompletionQueues);
    }

    // 0's based.
    private static CommandResult Queues(int submission, int completion)
        => new(NvmeStatus.Success, (uint)(submission - 1) | ((uint)(completion - 1) << 16));

    private CommandResult SetTimestamp(in AdminCommand command)
    {
        Span<byte> data = stackalloc byte[TimestampBytes];
        var status = command.Data.Receive(data);
        if (!status.IsSuccess)
            return status;
        _timestamp = BinaryPrimitives.ReadUInt64LittleEndian(data) & 0xFFFF_FFFF_FFFF;
        _timestampAt = Stopwatch.GetTimestamp();
        _timestampSet = true;
        return NvmeStatus.Success;
    }

    private CommandResult GetTimestamp(in AdminCommand command)
    {
        const ulong SetByHost = 1ul << 49;
        Span<byte> data = stackalloc byte[TimestampBytes];
        var now = (_timestamp + (ulong)Stopwatch.GetElapsedTime(_timestampAt).TotalMilliseconds) & 0xFFFF_FFFF_FFFF;
        BinaryPrimitives.WriteUInt64LittleEndian(data, now | (_timestampSet ? SetByHost : 0));
        return command.Data.Send(data);
    }

    private readonly record struct Key(NvmeFeature Id, uint Selector);
}
